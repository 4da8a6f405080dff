"""Where digits that touch may be parted: paths from top to bottom that cross ink seldom, and for a short way."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.form import stroke_width
from classifier.sheet import Image

#: Height at which paths are searched, in pixels, and least width.
PATH_SIDE, MIN_WIDTH = 48, 8
#: Rows that paths are led through; those through the middle alone miss what is joined high up or low down.
THROUGH = (PATH_SIDE // 4, PATH_SIDE // 2, 3 * PATH_SIDE // 4)
#: Columns that a path may go aside from one row to the next.
ASIDE = 2
#: What it costs to go into ink, where going on through it for the width of a stroke costs 1. Digits touch at one place,
#: but often side by side, and are joined lengthwise there: two strokes of one digit must not be cheaper to cross.
ENTRY = 2.0
#: Cost of a step on paper: paths are short where nothing is in their way.
ON_PAPER = 0.02
#: Paths are one where less ink lies between them, in squares as wide as a stroke.
ALIKE = 1.0
#: Least share of the ink on either side of a path.
MIN_INK = 0.04
#: Most paths that are kept.
MAX_PATHS = 64

Columns = NDArray[np.intp]
Mask = NDArray[np.bool_]
_Cost = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Path:
    """A way to part ink from top to bottom."""

    #: In widths of a stroke, plus `ENTRY` for every time that it goes into ink.
    cost: float
    #: intp, (48,): the first column after it, in every row of the ink scaled to `PATH_SIDE`.
    columns: Columns


def scaled(ink: Image) -> _Cost:
    """Scale ink to the height at which paths are searched.

    Args:
        ink: uint8, (height, width), 255 where there is ink.

    Returns:
        float32, (48, n), the share of every pixel that is ink, 0 to 1.
    """
    height, width = ink.shape
    size = max(MIN_WIDTH, round(width * PATH_SIDE / height)), PATH_SIDE
    return np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def find_paths(ink: Image) -> list[Path]:
    """Find the paths that are cheaper than those beside them, after Wang and Jean (1994), who count all ink alike.

    Args:
        ink: uint8, (height, width), 255 where there is ink, cut at its own edges.

    Returns:
        Paths that differ, the cheapest first; none where no path has ink on both sides.
    """
    cover = scaled(ink)
    stroke = max(1.5, stroke_width(ink) * PATH_SIDE / len(ink))
    found = _through(cover / np.float32(stroke) + np.float32(ON_PAPER), cover > 0.5)
    return _different(sorted(found, key=lambda path: path.cost), cover > 0.5, ALIKE * stroke**2)


def _through(step: _Cost, inked: Mask) -> list[Path]:
    """Lead paths through every column of some rows, and take those that no neighbour is cheaper than."""
    down, from_above = _reached(step, inked)
    up, from_below = (part[::-1] for part in _reached(step[::-1], inked[::-1]))
    paths = []
    for row in THROUGH:
        cost = np.pad(down[row] + up[row] - step[row] - ENTRY * inked[row], 1, constant_values=np.inf)
        cheap = np.flatnonzero(cost[1:-1] <= np.minimum(cost[:-2], cost[2:]) + 1e-6)
        columns = np.empty((PATH_SIDE, len(cheap)), np.intp)
        columns[row] = cheap
        for above in range(row, 0, -1):
            columns[above - 1] = from_above[above, columns[above]]
        for below in range(row, PATH_SIDE - 1):
            columns[below + 1] = from_below[below, columns[below]]
        paths += [Path(float(cost[column + 1]), columns[:, place]) for place, column in enumerate(cheap)]
    return paths


def _reached(step: _Cost, inked: Mask) -> tuple[_Cost, Columns]:
    """Sum up the least cost at which every pixel is reached from the first row, and tell from which column above."""
    columns = np.arange(step.shape[1])
    offsets = np.arange(-ASIDE, ASIDE + 1)[:, np.newaxis]
    beside = columns + offsets + ASIDE
    dry_above = ~np.pad(inked[:-1], ((0, 0), (ASIDE, ASIDE)))[:, beside]
    toll = (ENTRY * (inked[1:, np.newaxis] & dry_above) + ON_PAPER * np.abs(offsets)).astype(np.float32)
    total: _Cost = (step + np.float32(ENTRY) * inked).astype(np.float32)
    source: Columns = np.zeros(step.shape, np.intp)
    before = np.full(len(columns) + 2 * ASIDE, np.inf, np.float32)
    for row in range(1, len(step)):
        before[ASIDE:-ASIDE] = total[row - 1]
        ways = before[beside] + toll[row - 1]
        best = ways.argmin(axis=0)
        total[row] = ways[best, columns] + step[row]
        source[row] = columns + best - ASIDE
    return total, source


def _different(paths: list[Path], inked: Mask, alike: float) -> list[Path]:
    """Keep of paths that part the ink alike only the first, and of those that part off next to nothing none."""
    columns, total = np.arange(inked.shape[1]), np.count_nonzero(inked)
    kept: list[Path] = []
    lefts: list[Mask] = []
    for path in paths:
        left = inked & (columns < path.columns[:, np.newaxis])
        balanced = MIN_INK * total < np.count_nonzero(left) < (1 - MIN_INK) * total
        if balanced and all(np.count_nonzero(left ^ other) > alike for other in lefts):
            kept.append(path)
            lefts.append(left)
    return kept[:MAX_PATHS]
