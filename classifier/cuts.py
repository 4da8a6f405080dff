"""Part the ink of a picture into digits, in every way that is worth a classifier's look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np

from classifier.components import find_digits, keep_only
from classifier.paths import MIN_WIDTH, PATH_SIDE, Mask, Path, find_paths, scaled
from classifier.pieces import Piece
from classifier.sheet import Sheet, inked, several

#: Width by height of ink that hangs together from which on it is rather two digits than one.
RATHER_TWO = 1.25
#: Least and most width by height of a digit and of each further one that touches, and what it takes for a second.
LEAST_TWO, LEAST_MORE, MOST_EACH, MOST_BESIDE = 0.6, 0.9, 1.25, 0.75
#: Width by height up to which a part is as wide as digits are.
USUAL = 0.75
#: What it costs that a part is lower than the whole, and that it is wider than usual, in widths of a stroke by height.
LOW, WIDE = 5.0, 5.0
#: Least height of a part, as a share of the whole, and least ink, as a share of what a digit would have.
MIN_HEIGHT, MIN_INK = 0.5, 0.16
#: Ways that are offered for each number of digits.
MAX_CUTS = 4
#: Pieces of ink that a string may have, each of which takes a copy of the sheet, and digits that may hang together.
MAX_DIGITS, MAX_JOINED = 64, 16

#: The digits of a piece of ink, from left to right, before they are brought into form.
Way = list[Sheet]


def parted(sheet: Sheet) -> Iterator[list[Way]]:
    """Tell in which ways each piece of ink of a sheet may be parted into digits, the likeliest first.

    What hangs together is cut along paths that cross ink seldom, more often than there are digits, and a classifier
    chooses among the cuts: segmentation by recognition (Matan et al. 1992; Oliveira et al. 2002).

    Returns:
        Of every piece, from left to right, at least one way, each of one or more digits.

    Raises:
        ImageRejected: `blank`, there are at most specks; `several`, there are more pieces than a string may have.
    """
    digits = find_digits(inked(sheet), sheet.lines)
    if len(digits) > MAX_DIGITS:
        raise several(len(digits))
    tall = float(np.median([digit.height for digit in digits]))
    return (_ways(_alone(sheet, digit), digit.width / max(tall, 0.8 * digit.height)) for digit in digits)


def _alone(sheet: Sheet, digit: Piece) -> Sheet:
    """Cut out the part of the sheet around one digit, with nothing else on it; paper is left by which its grey is told."""
    copy = replace(sheet, pixels=sheet.pixels.copy(), ink=inked(sheet).copy())
    keep_only(copy, digit)
    x, y, width, height = cv2.boundingRect(inked(copy))
    edge = max(width, height)
    near = slice(max(0, y - edge), y + height + edge), slice(max(0, x - edge), x + width + edge)
    return replace(copy, pixels=copy.pixels[near], ink=inked(copy)[near])


def _ways(sheet: Sheet, wide: float) -> list[Way]:
    """Part one piece of ink into as many digits as its width by height leaves possible, the likeliest number first."""
    counts = [count for count in range(1, MAX_JOINED + 1) if _possible(count, wide)]
    if counts in ([], [1]):
        return [[sheet]]
    x, y, width, height = cv2.boundingRect(inked(sheet))
    box = slice(y, y + height), slice(x, x + width)
    ink = np.ascontiguousarray(inked(sheet)[box])
    paths = sorted(find_paths(ink), key=lambda path: float(path.columns.mean()))
    parts = _Parts(scaled(ink) > 0.5, paths)
    likely = 1 if wide < RATHER_TWO else max(2, round(wide / USUAL))
    ways = []
    for count in sorted(counts, key=lambda count: abs(count - likely)):
        ways += [[sheet]] if count == 1 else [_along(sheet, box, cuts) for cuts in parts.cheapest(count)]
    return ways or [[sheet]]


def _possible(count: int, wide: float) -> bool:
    """Tell whether so many digits may hang together in ink of a width by height."""
    least = 0.0 if count == 1 else LEAST_TWO + LEAST_MORE * (count - 2)
    return least <= wide <= MOST_EACH * count + MOST_BESIDE


class _Parts:
    """The parts of ink between any two of its paths, and what speaks against each."""

    def __init__(self, ink: Mask, paths: Sequence[Path]) -> None:
        edges = [Path(0.0, np.full(PATH_SIDE, column, np.intp)) for column in (0, ink.shape[1])]
        self._paths = [edges[0], *paths, edges[1]]
        self._faults = dict(_faults(ink, self._paths))

    def cheapest(self, count: int) -> list[list[Path]]:
        """Choose the paths that part the ink into so many digits, by what they cross and what they leave.

        Returns:
            At most `MAX_CUTS` choices, the cheapest first, each from left to right.
        """
        last = len(self._paths) - 1
        chosen: dict[int, list[tuple[float, list[int]]]] = {0: [(0.0, [])]}
        for number in range(1, count + 1):
            longer: dict[int, list[tuple[float, list[int]]]] = {}
            for (start, end), (fault, share) in self._faults.items():
                if share * count >= MIN_INK and (end == last) == (number == count):
                    cost = fault + self._paths[end].cost
                    longer.setdefault(end, []).extend(
                        (total + cost, [*cuts, end]) for total, cuts in chosen.get(start, ())
                    )
            chosen = {end: sorted(choices)[:MAX_CUTS] for end, choices in longer.items()}
        return [[self._paths[place] for place in cuts[:-1]] for _, cuts in chosen.get(last, ())]


def _faults(ink: Mask, paths: Sequence[Path]) -> Iterator[tuple[tuple[int, int], tuple[float, float]]]:
    """Tell of every two paths what speaks against what lies between them as a digit, and what share of the ink it is."""
    columns, total = np.arange(ink.shape[1]), np.count_nonzero(ink)
    after = [columns >= path.columns[:, np.newaxis] for path in paths]
    for start, end in combinations(range(len(paths)), 2):
        part = ink & after[start] & ~after[end]
        rows, across = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        if not len(rows):
            continue
        height, width = (int(places[-1] + 1 - places[0]) / PATH_SIDE for places in (rows, across))
        if height >= MIN_HEIGHT and width <= MOST_EACH + MOST_BESIDE:
            fault = LOW * (1 - height) + WIDE * max(0.0, width - USUAL)
            yield (start, end), (fault, np.count_nonzero(part) / total)


def _along(sheet: Sheet, box: tuple[slice, slice], cuts: Sequence[Path]) -> Way:
    """Part a sheet along paths, from left to right."""
    ink = inked(sheet)
    height, width = ink[box].shape
    columns = np.arange(max(MIN_WIDTH, round(width * PATH_SIDE / height)))
    after = sum((columns >= path.columns[:, np.newaxis]).astype(np.uint8) for path in cuts)
    part_of = cv2.resize(np.asarray(after, np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    parts = []
    for number in range(len(cuts) + 1):
        here = np.zeros_like(ink)
        here[box] = cv2.compare(part_of, number, cv2.CMP_EQ)
        mine = cv2.bitwise_and(ink, here)
        if cv2.countNonZero(mine):
            wide = cv2.subtract(cv2.dilate(mine, np.ones((3, 3), np.uint8)), cv2.subtract(ink, mine))
            parts.append(replace(sheet, pixels=cv2.bitwise_and(sheet.pixels, wide), ink=mine))
    return parts
