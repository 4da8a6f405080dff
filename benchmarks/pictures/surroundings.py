"""What is around a digit that people photograph: table, frame, holes, ring, underline, much paper; of MNIST's digits."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.pictures import camera
from benchmarks.pictures.ink import Ink, Picture, Place, Rng
from benchmarks.pictures.paper import (
    BLACK,
    BLUE,
    LINE_BLUE,
    WHITE,
    Colour,
    Page,
    picture_of,
    ruled,
    sheet,
    texture_of,
    thrice,
    written,
)
from benchmarks.pictures.strokes import penned, with_some_pen

_WOOD: Colour = (0.2, 0.3, 0.45)
_SLATE: Colour = (0.3, 0.3, 0.3)
#: Sticky notes and plain paper.
_NOTES: tuple[Colour, ...] = (WHITE, (0.35, 0.9, 0.95), (0.75, 0.6, 0.97), (0.6, 0.92, 0.6), (0.9, 0.8, 0.55))


def sheet_on_table(digit: Picture, rng: Rng) -> Picture:
    """A sheet or a sticky note that lies on a table, seen from aside; the table or its cloth shows all around."""
    place = Place.somewhere(rng, side=(240, 480), share=(0.3, 0.6))
    height, width = place.shape
    page = sheet(place.shape, rng, colour=_NOTES[rng.integers(len(_NOTES))])
    page = written(page, with_some_pen(digit, place, rng), (BLACK, BLUE)[rng.integers(2)], strength=0.92)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    middle = np.array([width, height], np.float32) / 2
    moved = middle + rng.uniform(0.7, 0.92) * (corners - middle) + rng.uniform(-0.05, 0.05, (4, 2)) * (width, height)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    laid = cv2.warpPerspective(page, matrix, (width, height))
    covered = thrice(cv2.warpPerspective(np.ones(place.shape, np.float32), matrix, (width, height)))
    seen = camera.lit(laid + _table(place.shape, rng) * (1 - covered), camera.lamp(place.shape, rng, 0.25))
    return picture_of(camera.noisy(seen, rng, amount=0.012))


def framed_canvas(digit: Picture, rng: Rng) -> Picture:
    """A canvas that was drawn on, copied from the screen with its frame and the bar above it."""
    place = Place.somewhere(rng, side=(220, 400), share=(0.35, 0.5), turn=2, clear=1.3)
    page = written(np.ones((*place.shape, 3), np.float32), penned(digit, place, 0.08 * place.size, rng, pressure=0))
    edge = int(rng.integers(6, 18))
    colour = ((60, 60, 60), (200, 120, 40), (235, 235, 235))[rng.integers(3)]
    framed = cv2.copyMakeBorder(picture_of(page), 2 * edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(framed, np.uint8)


def notebook(digit: Picture, rng: Rng) -> Picture:
    """A page of a notebook: ruled, with a margin, and with holes along one side."""
    place = Place.somewhere(rng, side=(200, 400), share=(0.35, 0.55))
    height, width = place.shape
    pitch = place.size * rng.uniform(0.9, 1.3)
    page = written(
        sheet(place.shape, rng), ruled(place.shape, pitch, place.middle[1] + pitch / 2, width=1.4), LINE_BLUE
    )
    page[:, int(0.13 * width) : int(0.13 * width) + 2] = (0.55, 0.5, 0.9)
    for row in range(int(pitch / 3), height, max(8, int(0.6 * pitch))):
        cv2.circle(page, (int(0.06 * width), row), max(3, int(0.06 * place.size)), (0.1, 0.1, 0.1), -1, cv2.LINE_AA)
    page = written(page, with_some_pen(digit, place, rng), (BLACK, BLUE)[rng.integers(2)], strength=0.92)
    return picture_of(camera.noisy(camera.lit(page, camera.lamp(place.shape, rng, 0.3)), rng, amount=0.015))


def underlined(digit: Picture, rng: Rng) -> Picture:
    """A digit with a line drawn under it by hand."""
    place = Place.somewhere(rng, share=(0.4, 0.6), clear=1.5)
    x, y = place.middle
    below = y + place.size * rng.uniform(0.62, 0.7)
    ends = (int(x - place.size / 2), int(below + rng.uniform(-3, 3))), (int(x + place.size / 2), int(below))
    line = np.zeros(place.shape, np.uint8)
    cv2.line(line, *ends, 255, max(1, int(0.05 * place.size)), cv2.LINE_AA)
    return _with(line, digit, place, rng)


def ringed(digit: Picture, rng: Rng) -> Picture:
    """A digit with a ring drawn around it."""
    place = Place.somewhere(rng, share=(0.4, 0.55), clear=1.8)
    middle = int(place.middle[0]), int(place.middle[1])
    axes = int(0.8 * place.size), int(place.size * rng.uniform(0.72, 0.85))
    ring = np.zeros(place.shape, np.uint8)
    turn = rng.uniform(-20, 20)
    cv2.ellipse(ring, middle, axes, turn, 0, 360, 255, max(1, int(0.05 * place.size)), cv2.LINE_AA)
    return _with(ring, digit, place, rng)


def far_off(digit: Picture, rng: Rng) -> Picture:
    """A digit a twentieth to a sixth as high as the sheet that was photographed, under a lamp at one side."""
    side = int(rng.integers(600, 1000))
    x, y = rng.uniform(0.2, 0.8, 2) * side
    place = Place((side, side), (float(x), float(y)), side * rng.uniform(0.05, 0.16), rng.uniform(-5, 5))
    page = written(sheet(place.shape, rng), with_some_pen(digit, place, rng), BLUE, strength=0.92)
    return picture_of(
        camera.noisy(camera.lit(page, camera.lamp(place.shape, rng, rng.uniform(0.3, 0.6))), rng, amount=0.012)
    )


def _table(shape: tuple[int, int], rng: Rng) -> Page:
    """Wood with its grain, slate, or a checked cloth."""
    kind = rng.integers(3)
    if kind == 2:
        rows, columns = np.indices(shape) // int(rng.integers(14, 40))
        red = ((rows % 2 + columns % 2) / 2).astype(np.float32)
        return np.asarray(cv2.merge([0.35 + 0.5 * red, 0.3 + 0.55 * red, 0.75 + 0.2 * red]), np.float32)
    fibres = texture_of(shape, rng, 0.8)
    grain = 1 + 0.1 * (cv2.GaussianBlur(fibres, (0, 0), sigmaX=10, sigmaY=0.6) if kind == 0 else fibres)
    return camera.tinted(thrice(np.asarray(grain, np.float32)), (_WOOD, _SLATE)[kind])


def _with(drawn: Picture, digit: Picture, place: Place, rng: Rng) -> Picture:
    """A digit and what was drawn beside it with the same pen."""
    ink: Ink = np.maximum(with_some_pen(digit, place, rng), drawn / np.float32(255))
    return picture_of(written(sheet(place.shape, rng), ink, (BLACK, BLUE)[rng.integers(2)], strength=0.92))


#: Every generator of this module.
GENERATORS = (sheet_on_table, framed_canvas, notebook, underlined, ringed, far_off)
