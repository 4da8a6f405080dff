"""Digits on ruled and squared paper and in the boxes of forms; each with a digit of MNIST."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.pictures.ink import Ink, Picture, Place, Rng
from benchmarks.pictures.paper import (
    BLACK,
    BLUE,
    GRAPHITE,
    LINE_BLUE,
    LINE_GREY,
    Colour,
    Page,
    box,
    graphite,
    picture_of,
    ruled,
    sheet,
    squared,
    uneven,
    written,
)
from benchmarks.pictures.strokes import with_some_pen

_INKS = (BLACK, BLUE)


def ruled_paper(digit: Picture, rng: Rng) -> Picture:
    """Between the lines of ruled paper, touching none."""
    place = Place.somewhere(rng, share=(0.4, 0.6), turn=4)
    pitch = place.size * rng.uniform(1.35, 1.7)
    return _on_lines(digit, place, ruled(place.shape, pitch, place.middle[1] + pitch / 2), rng)


def line_touched(digit: Picture, rng: Rng) -> Picture:
    """On ruled paper, the digit standing on a line or hanging across it."""
    place = Place.somewhere(rng, share=(0.4, 0.6), turn=4)
    pitch = place.size * rng.uniform(0.95, 1.6)
    foot = place.middle[1] + place.size * rng.uniform(0.3, 0.5)
    return _on_lines(digit, place, ruled(place.shape, pitch, foot), rng)


def squared_paper(digit: Picture, rng: Rng) -> Picture:
    """On paper with squares of 5 mm, the digit one to two squares high."""
    place = Place.somewhere(rng, share=(0.4, 0.65), turn=4)
    pitch = place.size / rng.uniform(1.0, 2.0)
    offset = rng.uniform(0, pitch, 2)
    return _on_lines(digit, place, squared(place.shape, pitch, (float(offset[0]), float(offset[1]))), rng)


def pencil_on_squares(digit: Picture, rng: Rng) -> Picture:
    """Pencil on squared paper, as in a pupil's exercise book."""
    place = Place.somewhere(rng, side=(160, 320), share=(0.4, 0.65), turn=4)
    pitch = place.size / rng.uniform(0.9, 1.6)
    offset = rng.uniform(0, pitch, 2)
    page = _lined(place, squared(place.shape, pitch, (float(offset[0]), float(offset[1]))), rng)
    ink = graphite(with_some_pen(digit, place, rng), rng, strength=rng.uniform(0.6, 0.85))
    return picture_of(written(page, ink, GRAPHITE))


def form_box(digit: Picture, rng: Rng) -> Picture:
    """In a printed box of a form, cut out with some paper around; the digit touches no border."""
    place = _in_box(rng)
    corners = _around(place, rng.uniform(1.3, 1.6, 2))
    return _on_print(digit, place, box(place.shape, corners, width=_line(place)), rng)


def box_touched(digit: Picture, rng: Rng) -> Picture:
    """In a printed box whose border the digit touches or crosses."""
    place = _in_box(rng)
    left, top, right, bottom = _around(place, np.array([1.12, 1.12]))
    push = (rng.uniform(0.08, 0.16, 2) * rng.choice([-1, 1], 2) * place.size).tolist()
    corners = left + push[0], top + push[1], right + push[0], bottom + push[1]
    return _on_print(digit, place, box(place.shape, corners, width=_line(place)), rng)


def box_filling(digit: Picture, rng: Rng) -> Picture:
    """A scan cut at the printed border of its box, which runs along the edges of the picture."""
    place = Place.somewhere(rng, share=(0.55, 0.72), turn=3)
    height, width = place.shape
    inset = rng.uniform(0.5, 0.03 * min(place.shape), 4)
    corners = inset[0], inset[1], width - 1 - inset[2], height - 1 - inset[3]
    return _on_print(digit, place, box(place.shape, corners, width=_line(place)), rng)


def dotted_box(digit: Picture, rng: Rng) -> Picture:
    """In a box whose border is dotted."""
    place = _in_box(rng)
    corners = _around(place, rng.uniform(1.25, 1.55, 2))
    border = box(place.shape, corners, width=_line(place), dash=max(2.0, place.size * rng.uniform(0.03, 0.07)))
    return _on_print(digit, place, border, rng)


def comb_field(digit: Picture, rng: Rng) -> Picture:
    """In a field of a comb: a line below and short teeth between the fields, neighbours' fields cut off."""
    place = _in_box(rng)
    left, top, right, bottom = _around(place, rng.uniform(1.2, 1.5, 2))
    tooth = bottom - (bottom - top) * rng.uniform(0.2, 0.5)
    width = place.shape[1]
    comb = np.zeros(place.shape, np.uint8)
    pieces = [((-5, bottom), (width + 5, bottom)), ((left, tooth), (left, bottom)), ((right, tooth), (right, bottom))]
    for start, end in pieces:
        ends = np.rint(np.array([start, end]) * 16).astype(int).tolist()
        cv2.line(comb, ends[0], ends[1], 255, max(1, round(_line(place))), cv2.LINE_AA, 4)
    return _on_print(digit, place, (comb / np.float32(255)).astype(np.float32), rng)


def _in_box(rng: Rng) -> Place:
    place = Place.somewhere(rng, share=(0.38, 0.5), turn=3)
    height, width = place.shape
    middle = width / 2 + 0.05 * width * rng.uniform(-1, 1), height / 2 + 0.05 * height * rng.uniform(-1, 1)
    return Place(place.shape, middle, place.size, place.turn)


def _around(place: Place, share: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a box around a digit, `share` times as wide and as high."""
    x, y = place.middle
    across, down = (place.size * share / 2).tolist()
    return x - across, y - down, x + across, y + down


def _line(place: Place) -> float:
    """The width of a printed line, in pixels: about a fortieth of a digit's height."""
    return max(1.0, place.size / 45)


def _on_lines(digit: Picture, place: Place, lines: Ink, rng: Rng) -> Picture:
    return picture_of(_inked(_lined(place, lines, rng), digit, place, rng))


def _lined(place: Place, lines: Ink, rng: Rng) -> Page:
    """A sheet with lines, paler or darker ones."""
    colour = LINE_BLUE if rng.random() < 0.6 else LINE_GREY
    return written(sheet(place.shape, rng), lines, colour, strength=rng.uniform(0.6, 1.4))


def _on_print(digit: Picture, place: Place, border: Ink, rng: Rng) -> Picture:
    colours: tuple[Colour, ...] = (BLACK, (0.35, 0.35, 0.35), (0.45, 0.45, 0.85), (0.75, 0.55, 0.35))
    page = written(sheet(place.shape, rng), border, colours[rng.integers(len(colours))])
    return picture_of(_inked(page, digit, place, rng))


def _inked(page: Page, digit: Picture, place: Place, rng: Rng) -> Page:
    return written(page, uneven(with_some_pen(digit, place, rng), rng), _INKS[rng.integers(len(_INKS))], strength=0.92)


#: Every generator of this module.
GENERATORS = (
    ruled_paper,
    line_touched,
    squared_paper,
    pencil_on_squares,
    form_box,
    box_touched,
    box_filling,
    dotted_box,
    comb_field,
)
