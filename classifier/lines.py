"""Take ruled lines, squares and the borders of boxes off the paper, and leave the strokes that cross them whole."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.sheet import Image, Sheet, inked

#: Shorter side of the smallest picture that is searched for lines, in pixels.
MIN_SIDE = 20
#: Thickest line, as a share of the picture's shorter side.
THICKEST = 0.045
#: Least length of a line, as a share of the side that it runs along.
SHORTEST = 0.2
#: Longer side at which a first look is taken, in pixels, and the length of what it looks for, as a share of that.
LOOK_SIDE, LOOK_LONG = 96, 0.1
#: Least share of a line that is drawn: it may be dashed or dotted.
FILLED = 0.35
#: Longest gap within a line, as a share of that side.
GAP = 0.14
#: How near a line's ends come to the border of the picture and to another line, as shares of the longer side.
TO_BORDER, TO_LINE = 0.015, 0.05
#: Least share of it that must lie on one straight line: a digit may run along the rest.
STRAIGHT = 0.6
#: Steepest line, in pixels down by pixels across.
STEEPEST = 0.2
#: Per cent of a line's columns along which nothing is drawn, at least.
ALONE = 25
#: How many times as bright as a line is what is drawn along it.
STRONGER = 1.4
#: Most that a line is bent or sways, as a share of its length.
SWAY = 0.01


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


def erase_lines(sheet: Sheet) -> None:
    """Take off long thin straight lines that end at the picture's border or at one another.

    A pixel of a line goes only where the ink is no thicker across the line than the line itself, so the strokes that
    cross it stay whole (run lengths: Dalitz et al. 2008, section 3). A stroke of a digit ends on free paper.
    """
    ink = inked(sheet)
    if min(ink.shape) < MIN_SIDE or not _may_have_lines(ink):
        return
    pixels, turned = sheet.pixels, np.ascontiguousarray(sheet.pixels.T)
    across, down = _lines_across(ink, pixels), _lines_across(np.ascontiguousarray(ink.T), turned)
    across, down = _bounded_by_each_other(across, down, ink.shape)
    if not (across or down):
        return
    kept = _without(ink, pixels, across)
    kept = np.ascontiguousarray(_without(np.ascontiguousarray(kept.T), turned, down).T)
    masks = [line.mask for line in across] + [np.ascontiguousarray(line.mask.T) for line in down]
    thickness = sorted(line.thickness for line in across + down)[len(across + down) // 2]
    sheet.lines = _beside(masks, thickness)
    kept = _without_crumbs(kept, sheet.lines, thickness)
    gone = cv2.dilate(cv2.subtract(ink, kept), _CROSS, iterations=2)
    sheet.pixels = cv2.bitwise_and(sheet.pixels, cv2.bitwise_not(cv2.subtract(gone, cv2.dilate(kept, _CROSS))))
    sheet.ink = kept


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def _may_have_lines(ink: Image) -> bool:
    """Tell cheaply whether there may be lines: ink at the border, or thin level and upright strokes as of a box."""
    if ink[0].any() or ink[-1].any() or ink[:, 0].any() or ink[:, -1].any():
        return True
    by = max(1, max(ink.shape) // LOOK_SIDE)
    size = max(1, ink.shape[1] // by), max(1, ink.shape[0] // by)
    small = cv2.resize(ink[: size[1] * by, : size[0] * by], size, interpolation=cv2.INTER_AREA)
    small = cv2.threshold(small, 64, 255, cv2.THRESH_BINARY)[1]
    return _has_level(small) and _has_level(np.ascontiguousarray(small.T))


def _has_level(small: Image) -> bool:
    """Tell whether a picture shows a thin level stroke, be it dashed."""
    thick, long = max(2, round(THICKEST * min(small.shape))) + 1, max(6, round(LOOK_LONG * max(small.shape)))
    dash = np.ones((1, max(3, long // 2)), np.uint8)
    thin = cv2.subtract(small, _opened(small, (1, thick)))
    return cv2.countNonZero(_opened(cv2.morphologyEx(thin, cv2.MORPH_CLOSE, dash), (long, 1))) > 0


def _lines_across(ink: Image, pixels: Image) -> list[Line]:
    """Find the lines that run from left to right, at most some ten degrees off the level."""
    width = ink.shape[1]
    thickest = max(2, round(THICKEST * min(ink.shape)))
    thin = cv2.subtract(ink, _opened(ink, (1, thickest + 1)))
    thin = _opened(thin, (max(3, width // 50), 1))
    gap = max(3, round(GAP * width))
    joined = cv2.morphologyEx(cv2.dilate(thin, np.ones((3, 1), np.uint8)), cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    lines = []
    for contour in cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
        x, y, long, tall = cv2.boundingRect(contour)
        if long >= max(10, SHORTEST * width) and tall <= 0.25 * long + thickest + 2:
            line = _line(contour, thin, (x, y, long, tall), ink, pixels)
            if line:
                lines.append(line)
    return lines


def _line(contour: Image, thin: Image, box: tuple[int, int, int, int], ink: Image, pixels: Image) -> Line | None:
    """Measure a line, or tell that it is none: bent, thick or mostly gaps."""
    x, y, long, tall = box
    mask = np.zeros_like(thin)
    cv2.drawContours(mask, [contour], -1, 255, cv2.FILLED)
    part = cv2.bitwise_and(thin, mask)[y : y + tall, x : x + long]
    columns = np.flatnonzero(part.any(axis=0))
    if len(columns) < FILLED * long:
        return None
    runs = (cv2.reduce(part, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] // 255)[columns]
    middles = (np.arange(tall, dtype=np.float32) @ (part.astype(np.float32) / 255))[columns] / runs
    straight = _straight(columns, middles, SWAY * long + 0.5)
    if straight.sum() < max(STRAIGHT * len(columns), 3):
        return None
    columns, middles, runs = columns[straight], middles[straight], runs[straight]
    slope, start = np.polyfit(columns, middles, 1)
    if abs(slope) > STEEPEST:
        return None
    first, last = int(columns[0]), int(columns[-1])
    # Where a pen goes along it, a line is thicker and stronger than elsewhere.
    alone, most = (float(run) for run in np.percentile(runs, (ALONE, 90)))
    thickness = round(min(most, alone + 1))
    level = float(np.percentile(cv2.bitwise_and(pixels[y : y + tall, x : x + long], part).max(axis=0)[columns], ALONE))
    left, right = y + start + slope * first, y + start + slope * last
    band = np.zeros_like(mask)
    ends = (x + first, round(left)), (x + last, round(right))
    cv2.line(band, *ends, 255, 2 * round(float(np.abs(middles - slope * columns - start).max())) + 2 * thickness + 1)
    beyond = thickness + 2 + round(TO_LINE * max(ink.shape))
    meets = (
        _is_inked(ink, left, slice(max(0, x + first - beyond), x + first), thickness),
        _is_inked(ink, right, slice(x + last + 1, x + last + 1 + beyond), thickness),
    )
    return Line(x + first, x + last, left, right, thickness, level, meets, cv2.bitwise_and(mask, band))


def _straight(columns: NDArray[np.intp], rows: NDArray[np.float32], sway: float) -> NDArray[np.bool_]:
    """Mark the columns that one straight line goes through, what a digit adds to it left out."""
    kept = np.ones(len(columns), bool)
    for _ in range(3):
        slope, start = np.polyfit(columns[kept], rows[kept], 1)
        off = np.abs(rows - slope * columns - start)
        kept = off <= max(0.75, min(sway, 2 * float(np.median(off))))
        if kept.sum() < 2:
            break
    return kept


def _is_inked(ink: Image, row: float, columns: slice, thickness: int) -> bool:
    top = max(0, round(row) - thickness)
    return bool(ink[top : round(row) + thickness + 1, columns].any())


def _bounded_by_each_other(
    across: list[Line], down: list[Line], shape: tuple[int, ...]
) -> tuple[list[Line], list[Line]]:
    """Keep the lines that end at the border or at lines that are kept themselves.

    Away from the border only a box counts, three sides at least: a digit has no three that end at one another.
    """
    count = -1
    while count != len(across) + len(down):
        count = len(across) + len(down)
        across = _bounded(across, down, shape)
        down = _bounded(down, across, shape[::-1])
    if any(_reaches(line, shape) for line in across) or any(_reaches(line, shape[::-1]) for line in down):
        return across, down
    if across and down and len(across) + len(down) >= 3:
        return _outermost(across, shape), _outermost(down, shape)
    return [], []


def _outermost(lines: list[Line], shape: tuple[int, ...]) -> list[Line]:
    """Keep the sides of a box; what lies between them may be a digit's."""
    middles = [(line.left + line.right) / 2 for line in lines]
    near = TO_LINE * max(shape)
    return [
        line
        for line, middle in zip(lines, middles, strict=True)
        if min(middle - min(middles), max(middles) - middle) <= near
    ]


def _reaches(line: Line, shape: tuple[int, ...]) -> bool:
    """Tell whether a line comes from the picture's border."""
    border = max(1, TO_BORDER * max(shape))
    return line.start <= border or line.stop >= shape[1] - 1 - border


def _bounded(lines: list[Line], others: list[Line], shape: tuple[int, ...]) -> list[Line]:
    """Keep the lines that end at the border or at a line that runs the other way; one end may lie under a digit."""
    kept = []
    for line in lines:
        left = _ends(line.start, line.left, line.thickness, others, shape)
        right = _ends(line.stop, line.right, line.thickness, others, shape)
        if (left and (right or line.meets[1])) or (right and line.meets[0]):
            kept.append(line)
    return kept


def _ends(column: int, row: float, thickness: int, others: list[Line], shape: tuple[int, ...]) -> bool:
    """Tell whether an end lies at the border, at a corner, or at another line that is as thick."""
    border, reach = max(1, TO_BORDER * max(shape)), max(2, TO_LINE * max(shape))
    if column <= border or column >= shape[1] - 1 - border:
        return True
    for other in others:
        # The other line was found in the transposed picture: its columns are rows here.
        along = (row - other.start) / max(1, other.stop - other.start)
        at = other.left + along * (other.right - other.left)
        if abs(at - column) > reach + other.thickness or not other.start - reach <= row <= other.stop + reach:
            continue
        if min(abs(row - other.start), abs(row - other.stop)) <= reach:
            return True
        if abs(thickness - other.thickness) <= max(1, 0.3 * other.thickness):
            return True
    return False


def _without(ink: Image, pixels: Image, lines: list[Line]) -> Image:
    """Take lines that run across out of the ink, but for what is thicker or stronger than they are."""
    for line in lines:
        thick = _opened(ink, (1, line.thickness + max(1, round(0.5 * line.thickness))))
        stronger = cv2.compare(pixels, STRONGER * line.level, cv2.CMP_GT)
        gone = cv2.subtract(cv2.bitwise_and(ink, line.mask), cv2.bitwise_or(thick, stronger))
        ink = cv2.subtract(ink, gone)
    return ink


def _beside(masks: list[Image], thickness: int) -> Image:
    """Mark where lines lie and what is next to them."""
    lines = masks[0].copy()
    for mask in masks[1:]:
        cv2.bitwise_or(lines, mask, dst=lines)
    wide: Image = cv2.dilate(lines, np.ones((2 * thickness + 3,) * 2, np.uint8))
    return wide


def _without_crumbs(ink: Image, lines: Image, thickness: int) -> Image:
    """Drop what is left of lines where they cross or end: ink on lines that is hardly longer than they are thick."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=cv2.CV_16U)
    crumbs = boxes[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1) <= 4 * thickness + 2
    crumbs &= np.bincount(labels[lines > 0], minlength=len(boxes)) > 0
    return np.where(crumbs[labels], np.uint8(0), ink)


def _opened(ink: Image, size: tuple[int, int]) -> Image:
    """Keep what a box of this width and height fits into; outside of the picture there is no ink."""
    brush = np.ones(size[::-1], np.uint8)
    opened: Image = cv2.morphologyEx(ink, cv2.MORPH_OPEN, brush, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return opened
