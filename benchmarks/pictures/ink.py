"""Ink at any resolution: MNIST's digits enlarged to pen strokes with sharp edges, and strokes drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

#: uint8, (height, width) grey, (height, width, 3) BGR or (height, width, 4) BGRA.
Picture = NDArray[np.uint8]
#: float32, (height, width): the share of each pixel that ink covers, 0 to 1.
Ink = NDArray[np.float32]
#: float64, (points, 2): x and y along a stroke of the pen.
Stroke = NDArray[np.float64]
Rng = np.random.Generator

#: Side of MNIST's digits, in pixels, and how often each is parted to find the edge of its strokes.
SIDE = 28
FINE = 8
#: Pixels of paper kept around the box of a digit's ink.
MARGIN = 3
#: Least brightness that ink is measured against, so that stray grey far from a stroke stays paper.
_FAINT = 0.3
#: Share of a stroke's own brightness at which its edge runs.
_EDGE = 0.45
#: Side of the picture that strokes are drawn in, at least, in pixels; finer than asked for, then scaled down.
_DRAWN_SIDE = 640


@dataclass(frozen=True, slots=True)
class Place:
    """Where a digit stands in a picture."""

    #: Pixels from top to bottom and from left to right.
    shape: tuple[int, int]
    #: x and y of the middle of the ink's box, in pixels.
    middle: tuple[float, float]
    #: Longer side of the ink's box, in pixels.
    size: float
    #: Degrees to the left.
    turn: float = 0.0

    @classmethod
    def somewhere(
        cls,
        rng: Rng,
        *,
        side: tuple[int, int] = (120, 320),
        share: tuple[float, float] = (0.45, 0.8),
        turn: float = 6.0,
        clear: float = 1.15,
    ) -> Self:
        """A picture of a size by chance and a digit in it by chance.

        Args:
            rng: the chance.
            side: least and greatest shorter side of the picture, in pixels.
            share: least and greatest share of the shorter side that the digit takes.
            turn: most degrees that it is turned either way.
            clear: side of the square around the digit that stays inside the picture, by its own size.
        """
        short = int(rng.integers(side[0], side[1] + 1))
        long = int(short * rng.uniform(1, 1.3))
        shape = (short, long) if rng.random() < 0.5 else (long, short)
        size = short * rng.uniform(*share)
        room = np.array(shape[::-1]) - clear * size
        x, y = np.array(shape[::-1]) / 2 + room * rng.uniform(-0.5, 0.5, 2)
        return cls(shape, (float(x), float(y)), float(size), float(rng.uniform(-turn, turn)))

    def matrix(self, box: tuple[float, float, float, float]) -> NDArray[np.float64]:
        """The affine map, (2, 3), that brings a box (x, y, width, height) to this place."""
        x, y, width, height = box
        turned = cv2.getRotationMatrix2D((x + width / 2, y + height / 2), self.turn, self.scale(box))
        turned[:, 2] += np.array(self.middle) - (x + width / 2, y + height / 2)
        return np.asarray(turned, np.float64)

    def scale(self, box: tuple[float, float, float, float]) -> float:
        """Pixels of the picture to one unit of a box (x, y, width, height)."""
        return self.size / max(box[2:])


def enlarged(digit: Picture, place: Place) -> Ink:
    """Write one of MNIST's digits at any size.

    Its grey levels are taken relative to the brightest ones near them, so that thin strokes, which are grey all
    through, keep their width; then they are interpolated and cut at the edge.

    Args:
        digit: uint8, (28, 28), ink bright on 0.
        place: the picture, and where the digit stands in it.

    Returns:
        float32, the shape of the place.
    """
    box = ink_box(digit)
    level = relative(digit)
    fine = cv2.resize(level, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(fine, (0, 0), 0.42 * FINE)
    # Cut once and smoothed again: what waves along an edge are the pixels, not the pen.
    fine = cv2.GaussianBlur(np.clip((fine - _EDGE) * 6 + 0.5, 0, 1), (0, 0), 0.6 * FINE)
    scale = place.scale(box)
    # The middle of source pixel 0 lies at (FINE - 1) / 2 of the fine grid.
    to_coarse = np.array([[1 / FINE, 0, (1 / FINE - 1) / 2], [0, 1 / FINE, (1 / FINE - 1) / 2], [0, 0, 1]])
    matrix = place.matrix(box) @ to_coarse
    height, width = place.shape
    laid = cv2.warpAffine(fine, matrix, (width, height), flags=cv2.INTER_LINEAR)
    ink: Ink = np.clip((laid - 0.5) * max(1.5, 1.4 * scale) + 0.5, 0, 1).astype(np.float32)
    return ink


def ink_box(digit: Picture) -> tuple[float, float, float, float]:
    """The box of a digit's ink as x, y, width and height, in pixels; of an empty picture the middle of it."""
    _, inked = cv2.threshold(digit, 60, 255, cv2.THRESH_BINARY)
    x, y, width, height = cv2.boundingRect(inked)
    return (x - 0.5, y - 0.5, width, height) if width else (3.5, 3.5, 20, 20)


def drawn(
    strokes: Sequence[Stroke],
    place: Place,
    width: float,
    *,
    rng: Rng,
    pressure: float = 0.15,
    within: Sequence[Stroke] | None = None,
) -> Ink:
    """Draw strokes with a pen.

    Args:
        strokes: in any unit.
        place: the picture, and where the box of the strokes stands in it.
        width: of the pen, in pixels of the picture.
        rng: the chance in the pressure.
        pressure: how much the width varies along a stroke, as a share of it.
        within: strokes whose box counts instead, where `strokes` are a part of them.

    Returns:
        float32, the shape of the place.
    """
    points = np.concatenate(within or strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 0.05 * float((high - low).max()) + 1e-6)
    matrix = place.matrix((low[0], low[1], float(extent[0]), float(extent[1])))
    finer = max(1, -(-_DRAWN_SIDE // max(place.shape)))
    height, across = place.shape
    canvas = np.zeros((height * finer, across * finer), np.uint8)
    for stroke in strokes:
        at = (stroke @ matrix[:, :2].T + matrix[:, 2] + 0.5) * finer
        _draw(canvas, at, width * finer * _pressed(len(at), pressure, rng))
    small = cv2.resize(canvas, (across, height), interpolation=cv2.INTER_AREA)
    ink: Ink = (small / np.float32(255)).astype(np.float32)
    return ink


def _draw(canvas: Picture, at: Stroke, widths: NDArray[np.float64]) -> None:
    """Draw one stroke, a short straight piece after the other, to a sixteenth of a pixel."""
    places = np.rint(at * 16).astype(np.int32)
    thick = np.maximum(1, np.rint(widths)).astype(int)
    for first, last, thickness in zip(places[:-1], places[1:], thick[1:], strict=True):
        cv2.line(canvas, first.tolist(), last.tolist(), 255, int(thickness), cv2.LINE_AA, 4)
    if len(places) == 1:
        cv2.circle(canvas, places[0].tolist(), int(thick[0] * 8), 255, -1, cv2.LINE_AA, 4)


def _pressed(count: int, pressure: float, rng: Rng) -> NDArray[np.float64]:
    """Factors of the pen's width along a stroke."""
    knots = 1 + pressure * rng.uniform(-1, 1, 5)
    return np.interp(np.linspace(0, 4, count), np.arange(5), knots)


def relative(digit: Picture) -> Ink:
    """Grey levels relative to the brightest near them, 0 to 1."""
    level = digit.astype(np.float32) / 255
    peak = cv2.GaussianBlur(cv2.dilate(level, np.ones((5, 5), np.uint8)), (0, 0), 1.0)
    bright: Ink = np.minimum(level / np.maximum(peak, _FAINT), 1).astype(np.float32)
    return bright
