"""Cut digits that touch apart, along the paths that cross the least ink."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.components import Piece, find_digits, keep_only
from classifier.form import stroke_width
from classifier.sheet import Image, Sheet, inked, several

#: Height at which paths are searched, in pixels.
PATH_SIDE = 48
#: Width by height from which on ink that hangs together may be two digits, from which on it is rather two, and by
#: which its width grows with every further one.
MAYBE_TWO, RATHER_TWO, EACH = 0.65, 1.25, 0.75
#: Cost of a step on paper, where one on ink costs 1: paths are short where nothing is in their way.
ON_PAPER = 0.02
#: What it costs a path to lie a whole width off the place where even digits would part, in pixels of ink.
OFF_PLACE = 30.0
#: Most ink that a path may cross, in widths of a stroke: digits touch at one place.
ONE_STROKE = 1.6
#: Cuts that are offered for two digits, and segmentations of a picture in all.
MAX_CUTS = 3
MAX_CANDIDATES = 16
#: Pieces of ink that a string may have; each takes a copy of the sheet.
MAX_DIGITS = 64


def segmentations(sheet: Sheet) -> list[list[Sheet]]:
    """Tell in which ways the ink of a sheet may be parted into digits, the likeliest first.

    Returns:
        At least one segmentation, of one sheet for each digit, from left to right.

    Raises:
        ImageRejected: `blank`, there are at most specks; `several`, there are more digits than a string may have.
    """
    digits = find_digits(inked(sheet), sheet.lines)
    if len(digits) > MAX_DIGITS:
        raise several(len(digits))
    tall = float(np.median([digit.height for digit in digits]))
    ways = [_ways(_alone(sheet, digit), digit.width / max(tall, 0.8 * digit.height)) for digit in digits]
    return _likeliest(ways)


def _likeliest(ways: list[list[list[Sheet]]]) -> list[list[Sheet]]:
    """Join the ways of every piece of ink, those of the least ranks in sum first.

    Only the first few are taken on from piece to piece: all of a long row would be beyond counting.
    """
    joined: list[tuple[int, list[Sheet]]] = [(0, [])]
    for way in ways:
        longer = [(total + rank, [*parts, *more]) for total, parts in joined for rank, more in enumerate(way)]
        joined = sorted(longer, key=lambda ranked: ranked[0])[:MAX_CANDIDATES]
    return [parts for _, parts in joined]


def _alone(sheet: Sheet, digit: Piece) -> Sheet:
    """Copy the sheet with nothing on it but one digit."""
    copy = replace(sheet, pixels=sheet.pixels.copy(), ink=inked(sheet).copy())
    keep_only(copy, digit)
    return copy


def _ways(sheet: Sheet, wide: float) -> list[list[Sheet]]:
    """Part one piece of ink into as many digits as its width by height makes likely, and into one more or fewer."""
    if wide < MAYBE_TWO:
        return [[sheet]]
    likely = 1 if wide < RATHER_TWO else max(2, round(wide / EACH))
    counts = [likely, likely - 1, likely + 1] if likely > 1 else [1, 2]
    ways = []
    for count in counts:
        ways += [[sheet]] if count == 1 else _parted(sheet, count)
    return ways or [[sheet]]


def _parted(sheet: Sheet, count: int) -> list[list[Sheet]]:
    """Cut ink into so many parts; several ways where there are two, the cheapest cut first."""
    x, y, width, height = cv2.boundingRect(inked(sheet))
    box = slice(y, y + height), slice(x, x + width)
    ink = np.ascontiguousarray(inked(sheet)[box])
    most = ONE_STROKE * stroke_width(ink) * PATH_SIDE / height
    paths = [path for path in _paths(ink) if path[0] <= most]
    if count == 2:
        cuts = [[path] for path in _best([path for path in paths if 0.2 < path[1] < 0.8], 0.5)[:MAX_CUTS]]
    else:
        cuts = [[path for place in range(1, count) for path in _best(paths, place / count)[:1]]]
    return [parts for cut in cuts if cut and len(parts := _along(sheet, box, cut)) == count]


Path = NDArray[np.intp]


def _paths(ink: Image) -> list[tuple[float, float, Path]]:
    """Find the paths from top to bottom that cross less ink than those beside them (Wang and Jean 1994).

    Returns:
        Of each path its cost in pixels of ink, its place halfway down as a share of the width, and its column in
        every row, of the ink scaled to a height of `PATH_SIDE`.
    """
    width = max(8, round(ink.shape[1] * PATH_SIDE / ink.shape[0]))
    small = cv2.resize(ink, (width, PATH_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255 + ON_PAPER
    middle = PATH_SIDE // 2
    up, down = _reached(small[: middle + 1]), _reached(small[: middle - 1 : -1])
    through = up[-1] + down[-1] - small[middle]
    paths = []
    for column in range(2, width - 2):
        if through[column] <= through[max(0, column - 3) : column + 4].min():
            path = np.concatenate([_traced(up, column)[::-1], _traced(down, column)[1:]])
            paths.append((float(through[column]), column / width, path))
    return paths


def _reached(cost: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum up the least cost at which every pixel is reached from the first row, by steps down or down aside."""
    total = cost.copy()
    for row in range(1, len(total)):
        before = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum(np.minimum(before[:-2], before[2:]) + ON_PAPER, before[1:-1])
    return total


def _traced(total: NDArray[np.float32], column: int) -> Path:
    """Follow the cheapest path back from the last row to the first."""
    path = [column]
    for row in range(len(total) - 2, -1, -1):
        left = max(0, path[-1] - 1)
        path.append(left + int(np.argmin(total[row, left : path[-1] + 2])))
    return np.array(path)


def _best(paths: list[tuple[float, float, Path]], place: float) -> list[Path]:
    """Sort paths by the ink that they cross and by how far they lie off a place."""
    return [path for _, _, path in sorted(paths, key=lambda path: path[0] + OFF_PLACE * (path[1] - place) ** 2)]


def _along(sheet: Sheet, box: tuple[slice, slice], cut: list[Path]) -> list[Sheet]:
    """Part a sheet along paths; parts without ink are left out."""
    ink = inked(sheet)
    height, width = ink[box].shape
    columns = np.arange(max(8, round(width * PATH_SIDE / height)))
    after = sum((columns[np.newaxis] >= path[:, np.newaxis]).astype(np.uint8) for path in cut)
    part_of = cv2.resize(np.asarray(after, np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    parts = []
    for number in range(len(cut) + 1):
        here = np.zeros_like(ink)
        here[box] = cv2.compare(part_of, number, cv2.CMP_EQ)
        mine = cv2.bitwise_and(ink, here)
        if cv2.countNonZero(mine):
            wide = cv2.subtract(cv2.dilate(mine, np.ones((3, 3), np.uint8)), cv2.subtract(ink, mine))
            parts.append(replace(sheet, pixels=cv2.bitwise_and(sheet.pixels, wide), ink=mine))
    return parts
