"""Strokes of a pen: found again in MNIST's digits, and bent as hands bend them."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pictures.ink import SIDE, Ink, Picture, Place, Rng, Stroke, drawn, enlarged, ink_box, relative

#: How often a pixel is parted before strokes are thinned to lines.
_FINE = 3
#: The eight neighbours, clockwise from the top, as Zhang and Suen number them: rows and columns.
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
#: Half widths of the pen from which on ink is a loop that was filled in.
_FILLED = 1.5
#: Branches that end freely and are shorter are no strokes but bumps of an edge, in pixels of the digit.
_SHORTEST = 2.2


def strokes_of(digit: Picture) -> list[Stroke]:
    """Find the lines that a pen went along, in pixels of the digit.

    The digit is thinned (Zhang and Suen 1984) and the lines that are left are followed from end to end.

    Args:
        digit: uint8, (28, 28), ink bright on 0, not blank.
    """
    fine = cv2.resize(relative(digit), None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC)
    inked = (cv2.GaussianBlur(fine, (0, 0), 0.5 * _FINE) > 0.45).astype(np.uint8)
    line = thinned(inked)
    lines = [*map(_smooth, _followed(line)), *_blots(inked, line)]
    return [line / _FINE - (1 - 1 / _FINE) / 2 for line in lines]


def _blots(inked: Picture, line: Picture) -> list[Stroke]:
    """Lines, one within the other, that fill what is much wider than the pen.

    A small loop of an eight is often filled in; without them it would become a nine, once it is thin.
    """
    depth = cv2.distanceTransform(inked, cv2.DIST_L2, 5)
    pen = float(np.median(depth[line > 0]))
    steps = np.arange(_FILLED * pen, depth.max())
    rings = [
        cv2.findContours((depth > step).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0] for step in steps
    ]
    return [ring[:, 0].astype(np.float64) for several in rings for ring in several]


def penned(digit: Picture, place: Place, width: float, rng: Rng, *, pressure: float = 0.15) -> Ink:
    """Write one of MNIST's digits with a pen of another width, in pixels of the picture; as `drawn` otherwise."""
    return drawn(strokes_of(digit), place_of_lines(digit, place), width, rng=rng, pressure=pressure)


def with_some_pen(digit: Picture, place: Place, rng: Rng) -> Ink:
    """Write one of MNIST's digits with its own pen or, half the time, with a ballpoint or the like."""
    if rng.random() < 0.5:
        return enlarged(digit, place)
    return penned(digit, place, place.size * rng.uniform(0.035, 0.08), rng)


def place_of_lines(digit: Picture, place: Place) -> Place:
    """The place of a digit's lines: their box is as much smaller than that of its ink as the ink is wide."""
    side = max(ink_box(digit)[2:])
    return Place(place.shape, place.middle, place.size * max(side - 2.5, side / 2) / side, place.turn)


def thinned(inked: Picture) -> Picture:
    """Thin shapes to lines one pixel wide (Zhang and Suen 1984).

    Args:
        inked: uint8, (height, width), 1 where there is ink; the outermost pixels must be 0.

    Returns:
        uint8, the like.
    """
    left = inked.copy()
    while True:
        before = cv2.countNonZero(left)
        for removable in _REMOVABLE:
            around = cv2.filter2D(left, cv2.CV_8U, _WEIGHTS, borderType=cv2.BORDER_CONSTANT)
            left[removable[around]] = 0
        if cv2.countNonZero(left) == before:
            return left


def bent(strokes: list[Stroke], rng: Rng, *, slant: float = 0.25, wobble: float = 0.05) -> list[Stroke]:
    """Write strokes as another hand would: slanted, stretched, turned, and bent a little.

    Args:
        strokes: in a box of about 1 x 1.
        rng: the chance.
        slant: most shear either way.
        wobble: how far points are moved, by a smooth field over the box.
    """
    shear = rng.uniform(-slant, slant)
    stretch = rng.uniform(0.8, 1.25)
    affine = np.array([[stretch, shear], [rng.uniform(-0.08, 0.08), 1]])
    waves = rng.uniform(2, 6, (2, 2)), rng.uniform(0, 2 * np.pi, (2, 2))
    return [_dense(stroke) @ affine.T + wobble * _field(_dense(stroke), waves) for stroke in strokes]


def _field(points: Stroke, waves: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Stroke:
    rates, phases = waves
    return np.stack(
        [np.sin(points[:, ::-1] @ rates[axis] + phases[axis].sum()) for axis in (0, 1)],
        axis=1,
    )


def _dense(stroke: Stroke, count: int = 40) -> Stroke:
    """Lay a smooth curve through a stroke's points (Catmull and Rom 1974)."""
    if len(stroke) < 3:
        return np.linspace(stroke[0], stroke[-1], count // 2)
    padded = np.concatenate([[2 * stroke[0] - stroke[1]], stroke, [2 * stroke[-1] - stroke[-2]]])
    at = np.linspace(0, len(stroke) - 1, count)
    piece = np.minimum(at.astype(int), len(stroke) - 2)
    t = (at - piece)[:, np.newaxis]
    a, b, c, d = (padded[piece + step] for step in range(4))
    curve: Stroke = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3)
    return curve


def _followed(line: Picture) -> list[Stroke]:
    """Follow lines one pixel wide, from ends and crossings first, then round the loops that have neither."""
    rows, columns = np.nonzero(line)
    left = set(zip(rows.tolist(), columns.tolist(), strict=True))
    near = {at: _neighbours(at, left) for at in left}
    nodes = [at for at in near if len(near[at]) != 2]
    walked: set[tuple[tuple[int, int], tuple[int, int]]] = set()
    found = []
    for start in [*nodes, *near]:
        for step in near[start]:
            if (start, step) in walked or (start not in nodes and any((start, one) in walked for one in near[start])):
                continue
            path = _walk(start, step, near)
            walked.update(pairwise(path))
            walked.update(pairwise(path[::-1]))
            if _is_stroke(path, near, len(line)):
                found.append(np.array(path, np.float64)[:, ::-1])
    lone = [np.array([[at[1], at[0]]], np.float64) for at in near if not near[at]]
    return found or lone


def _walk(
    start: tuple[int, int], step: tuple[int, int], near: dict[tuple[int, int], list[tuple[int, int]]]
) -> list[tuple[int, int]]:
    path = [start, step]
    while len(near[path[-1]]) == 2 and path[-1] != start:
        first, second = near[path[-1]]
        path.append(second if first == path[-2] else first)
    return path


def _is_stroke(path: list[tuple[int, int]], near: dict[tuple[int, int], list[tuple[int, int]]], side: int) -> bool:
    ends = len(near[path[0]]), len(near[path[-1]])
    spur = 1 in ends and max(ends) > 2
    return not spur or len(path) > _SHORTEST * side / SIDE


def _neighbours(at: tuple[int, int], among: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """The neighbours of a pixel; diagonal ones only where no straight way leads to them."""
    row, column = at
    straight = [(row + r, column + c) for r, c in _AROUND[::2] if (row + r, column + c) in among]
    diagonal = [
        (row + r, column + c)
        for r, c in _AROUND[1::2]
        if (row + r, column + c) in among and not {(row + r, column), (row, column + c)} & among
    ]
    return straight + diagonal


def _smooth(line: Stroke, reach: int = 5) -> Stroke:
    """Smooth the steps of pixels out of a line; its ends stay."""
    if len(line) < 3:
        return line
    padded = np.concatenate([2 * line[0] - line[reach:0:-1], line, 2 * line[-1] - line[-2 : -reach - 2 : -1]])
    weights = np.hanning(2 * reach + 1)[1:-1]
    lost = (len(padded) - len(line) - len(weights) + 1) // 2
    columns = [np.convolve(axis, weights / weights.sum(), "valid") for axis in padded.T]
    smooth: Stroke = np.stack(columns, axis=1)[max(lost, 0) :][: len(line)]
    return smooth


def _removable() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels each of the two passes takes away, by the pattern of their neighbours; bool, (512,) each."""
    passes = np.zeros((2, 256), np.bool_)
    for pattern in range(256):
        around = [bool(pattern >> bit & 1) for bit in range(8)]
        top, right, bottom, left = around[::2]
        changes = sum(not one and other for one, other in zip(around, around[1:] + around[:1], strict=True))
        if 2 <= sum(around) <= 6 and changes == 1:
            passes[0, pattern] = not (top and right and bottom) and not (right and bottom and left)
            passes[1, pattern] = not (top and right and left) and not (top and bottom and left)
    return passes[0], passes[1]


_REMOVABLE = _removable()
_WEIGHTS = np.zeros((3, 3), np.float32)
for _bit, (_row, _column) in enumerate(_AROUND):
    _WEIGHTS[_row + 1, _column + 1] = 1 << _bit
