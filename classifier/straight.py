"""Long thin straight lines in ink: where they lie, and how thick and how bright they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.sheet import Image

#: Thickest line, as a share of the picture's shorter side.
THICKEST = 0.045
#: Least length of a line, as a share of the side that it runs along.
SHORTEST = 0.2
#: Least share of a line that is drawn: it may be dashed or dotted.
FILLED = 0.35
#: Longest gap within a line, as a share of that side.
GAP = 0.14
#: Per cent of a line's columns along which nothing is drawn, at least.
ALONE = 25
#: How far beyond its end a line may go on under other ink, as a share of the longer side.
BEYOND = 0.05
#: Most lines that a digit may join to one piece of ink.
MOST_IN_ONE = 8
#: Steepest line, in pixels down by pixels across.
STEEPEST = 0.2
#: Longer side at which the line that goes through most ink is looked for, in pixels.
VOTING_SIDE = 128
#: Most that a line is bent or sways, as a share of its length.
SWAY = 0.01
#: Least share of its ink that must lie on one straight line.
STRAIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Line:
    """A long thin straight structure that runs across."""

    #: First and last column, and the row at either.
    start: int
    stop: int
    left: float
    right: float
    #: In pixels.
    thickness: int
    #: How bright it is where nothing is drawn along it, in grey levels.
    level: float
    #: Whether other ink lies beyond the left end and beyond the right, so that the line may go on under it.
    meets: tuple[bool, bool]
    #: uint8, (height, width) of the picture, 255 where its pixels may lie.
    mask: Image


@dataclass(frozen=True, slots=True)
class Ruler:
    """Ink along a straight line that runs across, column by column."""

    #: intp, (n,): the columns in which there is ink, ascending.
    columns: NDArray[np.intp]
    #: float64, (n,): middle row of the ink there; intp, (n,): its height, in pixels.
    middles: NDArray[np.float64]
    runs: NDArray[np.intp]

    def at(self, kept: NDArray[np.bool_]) -> Ruler:
        """The same with some columns only."""
        return Ruler(self.columns[kept], self.middles[kept], self.runs[kept])


def lines_across(ink: Image, pixels: Image) -> list[Line]:
    """Find the lines that run from left to right, at most some ten degrees off the level.

    Args:
        ink: uint8, (height, width), 255 where there is ink.
        pixels: uint8, (height, width), ink bright.
    """
    width = ink.shape[1]
    thickest = max(2, round(THICKEST * min(ink.shape)))
    # The pores of a pencil's stroke closed, that it is no bundle of lines.
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((thickest // 6 * 2 + 1, 1), np.uint8))
    thin = cv2.subtract(ink, opened(closed, (1, thickest + 1)))
    level = opened(thin, (max(2, width // 50), 1))
    gap = max(3, round(GAP * width))
    joined = cv2.morphologyEx(
        cv2.dilate(level, np.ones((3, 1), np.uint8)), cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8)
    )
    lines: list[Line] = []
    for contour in cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
        if cv2.boundingRect(contour)[2] >= max(10, SHORTEST * width):
            mask = np.zeros_like(level)
            cv2.drawContours(mask, [contour], -1, 255, cv2.FILLED)
            lines += _lines_in(cv2.bitwise_and(level, mask), ink, pixels, thickest)
    return lines


def _lines_in(thin: Image, ink: Image, pixels: Image, thickest: int) -> Iterator[Line]:
    """Find the lines in thin ink that hangs together, the longest first: a digit may hang on several."""
    for _ in range(MOST_IN_ONE):
        x, y, long, tall = cv2.boundingRect(thin)
        if long < max(10, SHORTEST * ink.shape[1] - 2):
            return
        part = thin[y : y + tall, x : x + long]
        ruler = _along(part, *_straightest(part), thickest)
        line = _line(ruler, (x, y), ink, pixels)
        if not line:
            return
        yield line
        thin = cv2.subtract(thin, line.mask)


def _line(ruler: Ruler, corner: tuple[int, int], ink: Image, pixels: Image) -> Line | None:
    """Measure a line, or tell that it is none: short, bent or mostly gaps."""
    found = len(ruler.columns)
    if found < 10 or found < FILLED * (ruler.columns[-1] - ruler.columns[0]):
        return None
    straight, slope, start = _straight(ruler)
    ruler = ruler.at(straight)
    if len(ruler.columns) < max(STRAIGHT * found, 3) or abs(slope) > STEEPEST:
        return None
    x, y = corner
    columns = ruler.columns
    first, last = int(columns[0]), int(columns[-1])
    if last - first < SHORTEST * ink.shape[1] - 2:
        return None
    # Where a pen goes along it, a line is thicker and stronger than elsewhere.
    alone, most = (float(run) for run in np.percentile(ruler.runs, (ALONE, 90)))
    thickness = round(min(most, alone + 1))
    rows = np.clip(np.rint(ruler.middles + y).astype(np.intp) + _BESIDE, 0, len(ink) - 1)
    level = float(np.percentile(cv2.bitwise_and(pixels, ink)[rows, columns + x].max(axis=0), ALONE))
    left, right = y + start + slope * first, y + start + slope * last
    mask = np.zeros_like(ink)
    ends = (x + first, round(left)), (x + last, round(right))
    sway = round(float(np.abs(ruler.middles - slope * columns - start).max()))
    cv2.line(mask, *ends, 255, 2 * sway + 2 * thickness + 1)
    beyond = thickness + 2 + round(BEYOND * max(ink.shape))
    meets = (
        _is_inked(ink, left, slice(max(0, x + first - beyond), x + first), thickness),
        _is_inked(ink, right, slice(x + last + 1, x + last + 1 + beyond), thickness),
    )
    return Line(x + first, x + last, left, right, thickness, level, meets, mask)


#: Rows next to the middle of a line in which it may be brightest.
_BESIDE = np.arange(-1, 2)[:, np.newaxis]


def _straightest(thin: Image) -> tuple[float, float]:
    """Find the line that goes through most columns of ink: every pixel votes for those on which it lies.

    The Hough transform as Duda and Hart (1972) have it, but that lines are told by slope and start.

    Args:
        thin: uint8, (height, width), 255 where there is ink, at least one pixel.

    Returns:
        Slope in rows by columns, at most `STEEPEST`, and the row at column 0.
    """
    by = max(1, -(-thin.shape[1] // VOTING_SIDE))
    size = -(-thin.shape[1] // by), -(-thin.shape[0] // by)
    rows, columns = np.nonzero(cv2.resize(thin, size, interpolation=cv2.INTER_AREA) if by > 1 else thin)
    reach = int(np.ceil(STEEPEST * size[0]))
    slopes = np.arange(-reach, reach + 1) / size[0]
    starts = np.rint(rows - slopes[:, np.newaxis] * columns).astype(np.intp) + reach
    most = size[1] + 2 * reach + 1
    votes = np.bincount((starts + most * np.arange(len(slopes))[:, np.newaxis]).ravel(), minlength=most * len(slopes))
    slope, start = divmod(int(votes.argmax()), most)
    return float(slopes[slope]), (start - reach + 0.5) * by - 0.5


def _along(thin: Image, slope: float, start: float, thickest: int) -> Ruler:
    """Measure the ink on a line: in every column the run of pixels that lies on it, or next to it."""
    height, width = thin.shape
    near = -(-width // VOTING_SIDE) + round(SWAY * width)
    reach = near + thickest
    rows = np.rint(start + slope * np.arange(width)).astype(np.intp) + np.arange(-reach, reach + 1)[:, np.newaxis]
    inside = (rows >= 0) & (rows < height)
    window = inside & (thin[np.clip(rows, 0, height - 1), np.arange(width)] > 0)
    # The pixel of each column that is nearest to the line, and the pixels above and below that hang together with it.
    outwards = sorted(range(-near, near + 1), key=abs)
    first = window[[reach + away for away in outwards]]
    columns = np.flatnonzero(first.any(axis=0))
    place = reach + np.array(outwards)[first[:, columns].argmax(axis=0)]
    window = np.pad(window[:, columns], ((1, 1), (0, 0)))
    steps = np.arange(len(window))[:, np.newaxis]
    free = ~window
    top = np.where(free & (steps <= place), steps, -1).max(axis=0)
    bottom = np.where(free & (steps > place + 1), steps, len(window)).min(axis=0)
    middles = rows[0, columns] + (top + bottom) / 2 - 1
    return Ruler(columns, middles, bottom - top - 1)


def _straight(ruler: Ruler) -> tuple[NDArray[np.bool_], float, float]:
    """Mark the columns that one straight line goes through, what a digit adds to it left out.

    Returns:
        bool, (n,), and the line's slope and start.
    """
    kept = np.ones(len(ruler.columns), bool)
    sway = SWAY * (ruler.columns[-1] - ruler.columns[0]) + 0.5
    slope, start = 0.0, 0.0
    for _ in range(3):
        slope, start = np.polyfit(ruler.columns[kept], ruler.middles[kept], 1)
        off = np.abs(ruler.middles - slope * ruler.columns - start)
        kept = off <= max(0.75, min(sway, 2 * float(np.median(off))))
        if kept.sum() < 2:
            break
    return kept, float(slope), float(start)


def _is_inked(ink: Image, row: float, columns: slice, thickness: int) -> bool:
    top = max(0, round(row) - thickness)
    return bool(ink[top : round(row) + thickness + 1, columns].any())


def opened(ink: Image, size: tuple[int, int]) -> Image:
    """Keep what a box of this width and height fits into; outside of the picture there is no ink."""
    # A brush of even size has no middle: the way back is by the mirrored one, or all would be shifted by a pixel.
    back = (size[0] - 1) // 2, (size[1] - 1) // 2
    brush = np.ones(size[::-1], np.uint8)
    kept: Image = cv2.dilate(fits(ink, size), brush, anchor=back, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return kept


def fits(ink: Image, size: tuple[int, int]) -> Image:
    """Mark where the middle of a box of this width and height may lie within ink."""
    middle = size[0] // 2, size[1] // 2
    brush = np.ones(size[::-1], np.uint8)
    places: Image = cv2.erode(ink, brush, anchor=middle, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return places
