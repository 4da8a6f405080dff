"""What is no digit: nothing at all, scribbles, letters."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from benchmarks.pictures import camera
from benchmarks.pictures.ink import Ink, Picture, Place, Rng, Stroke, drawn
from benchmarks.pictures.paper import (
    BLACK,
    BLUE,
    COLD,
    LINE_BLUE,
    LINE_GREY,
    RECYCLED,
    WARM,
    WHITE,
    box,
    picture_of,
    ruled,
    sheet,
    squared,
    uneven,
    written,
)
from benchmarks.pictures.skeletons import LETTERS, skeleton
from benchmarks.pictures.strokes import bent

_PAPERS = (WHITE, COLD, WARM, RECYCLED)
_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral", "STIXGeneralItalic", "cmr10")


def empty_paper(rng: Rng) -> Picture:
    """Paper with nothing on it, in even or uneven light."""
    place = Place.somewhere(rng)
    page = sheet(place.shape, rng, colour=_PAPERS[rng.integers(len(_PAPERS))], rough=rng.uniform(0.005, 0.03))
    if rng.random() < 0.5:
        page = camera.lit(page, camera.lamp(place.shape, rng, rng.uniform(0.1, 0.6)))
    if rng.random() < 0.4:
        soft = float(rng.choice([0.06, 0.5, 1.0]))
        page = camera.lit(page, camera.half_shadow(place.shape, rng, depth=rng.uniform(0.2, 0.5), soft=soft))
    return picture_of(camera.noisy(page, rng, amount=rng.uniform(0.002, 0.04)))


def empty_ruled(rng: Rng) -> Picture:
    """Ruled or squared paper with nothing on it."""
    place = Place.somewhere(rng)
    pitch = float(min(place.shape) * rng.uniform(0.2, 0.6))
    start = rng.uniform(0, pitch, 2)
    lines = (
        ruled(place.shape, pitch, float(start[0]))
        if rng.random() < 0.5
        else squared(place.shape, pitch, (float(start[0]), float(start[1])))
    )
    return picture_of(written(sheet(place.shape, rng), lines, (LINE_BLUE, LINE_GREY)[rng.integers(2)]))


def empty_box(rng: Rng) -> Picture:
    """The box of a form that nobody filled in."""
    place = Place.somewhere(rng)
    height, width = place.shape
    inset = rng.uniform(0.01, 0.25, 4)
    corners = width * inset[0], height * inset[1], width * (1 - inset[2]), height * (1 - inset[3])
    dash = 0.0 if rng.random() < 0.6 else float(rng.uniform(3, 8))
    border = box(place.shape, corners, width=float(rng.uniform(1, 4)), dash=dash)
    return picture_of(written(sheet(place.shape, rng), border, (BLACK, LINE_GREY, LINE_BLUE)[rng.integers(3)]))


def wandering(rng: Rng) -> Picture:
    """A pen that wandered about."""
    steps = rng.normal(0, 1, (int(rng.integers(40, 120)), 2))
    weights = np.hanning(7)[1:-1]
    pace = np.stack([np.convolve(axis, weights / weights.sum(), "valid") for axis in steps.T], axis=1)
    return _scribbled([np.cumsum(pace, axis=0)], rng)


def loops(rng: Rng) -> Picture:
    """Loops side by side, as one tries a pen."""
    turns = rng.uniform(4, 9)
    t = np.linspace(0, 2 * np.pi * turns, int(30 * turns))
    size = 1 + 0.15 * np.interp(t, np.linspace(0, t[-1], 8), rng.uniform(-1, 1, 8))
    line = np.stack([size * np.cos(t) + rng.uniform(0.1, 0.35) * t, 1.4 * size * np.sin(t)], axis=1)
    return _scribbled([line], rng)


def hatching(rng: Rng) -> Picture:
    """Hatching, to and fro."""
    lines = int(rng.integers(6, 16))
    ends = np.stack([np.arange(2 * lines) * rng.uniform(0.04, 0.09), np.tile([0.0, 1.0], lines)], axis=1)
    return _scribbled([ends + rng.normal(0, 0.03, ends.shape)], rng)


def crossed_out(rng: Rng) -> Picture:
    """A word or a digit crossed out, so that nothing is to be read any more."""
    letters = sorted(LETTERS)
    below = bent(skeleton(LETTERS[letters[rng.integers(len(letters))]]), rng)
    lines = int(rng.integers(7, 12))
    ends = np.stack([np.tile([-0.15, 1.15], lines), np.linspace(-0.1, 1.1, 2 * lines)], axis=1)
    return _scribbled([*below, ends + rng.normal(0, 0.05, ends.shape)], rng)


def printed_letters(rng: Rng) -> Picture:
    """A printed letter that no digit resembles."""
    letters = sorted(LETTERS)
    letter = letters[rng.integers(len(letters))]
    place = Place.somewhere(rng)
    font = _font(_FONTS[rng.integers(len(_FONTS))])
    left, top, right, bottom = font.getbbox(letter)
    glyph = PIL.Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    PIL.ImageDraw.Draw(glyph).text((4 - left, 4 - top), letter, 255, font)
    return _on_paper(_laid(np.asarray(glyph), place), place, rng)


def written_letters(rng: Rng) -> Picture:
    """A letter written by hand, capital or small, that no digit resembles."""
    letters = sorted(LETTERS)
    return _scribbled(bent(skeleton(LETTERS[letters[rng.integers(len(letters))]]), rng), rng)


@cache
def _font(name: str) -> PIL.ImageFont.FreeTypeFont:
    """A font that comes with Matplotlib."""
    return PIL.ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), 160)


def _laid(glyph: Picture, place: Place) -> Ink:
    """Bring a printed letter to its place."""
    height, width = glyph.shape
    matrix = place.matrix((0, 0, width, height))
    laid = cv2.warpAffine(glyph, matrix, place.shape[::-1], flags=cv2.INTER_AREA)
    ink: Ink = (laid / np.float32(255)).astype(np.float32)
    return ink


def _scribbled(strokes: list[Stroke], rng: Rng) -> Picture:
    place = Place.somewhere(rng)
    width = place.size * float(np.exp(rng.uniform(np.log(0.03), np.log(0.11))))
    return _on_paper(drawn(strokes, place, width, rng=rng), place, rng)


def _on_paper(ink: Ink, place: Place, rng: Rng) -> Picture:
    colour = (BLACK, BLUE)[rng.integers(2)]
    return picture_of(written(sheet(place.shape, rng), uneven(ink, rng), colour, strength=0.92))


#: Every generator of this module.
GENERATORS = (
    empty_paper,
    empty_ruled,
    empty_box,
    wandering,
    loops,
    hatching,
    crossed_out,
    printed_letters,
    written_letters,
)
