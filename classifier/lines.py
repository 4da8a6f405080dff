"""Take ruled lines, squares and the borders of boxes off the paper, and leave the strokes that cross them whole."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.sheet import Image, Sheet, inked, region, touches_border
from classifier.straight import THICKEST, Line, fits, lines_across, opened

#: Shorter side of the smallest picture that is searched for lines, in pixels.
MIN_SIDE = 20
#: Longer side at which a first look is taken, in pixels, and the length of what it looks for, as a share of that.
LOOK_SIDE, LOOK_LONG = 96, 0.1
#: How near a line's ends come to the border of the picture and to another line, as shares of the longer side.
TO_BORDER, TO_LINE = 0.015, 0.05
#: How many times as bright as a line is what is drawn along it.
STRONGER = 1.4


def erase_lines(sheet: Sheet) -> None:
    """Take off long thin straight lines that end at the picture's border or at one another.

    A pixel of a line goes only where the ink is no thicker across the line than the line itself, so the strokes that
    cross it stay whole (run lengths: Dalitz et al. 2008, section 3). A stroke of a digit ends on free paper.
    """
    ink = inked(sheet)
    if min(ink.shape) < MIN_SIDE or not (touches_border(sheet) or _may_show_box(ink)):
        return
    pixels, turned = sheet.pixels, np.ascontiguousarray(sheet.pixels.T)
    across, down = lines_across(ink, pixels), lines_across(np.ascontiguousarray(ink.T), turned)
    across, down = _bounded_by_each_other(across, down, ink.shape)
    if not (across or down):
        return
    kept = _without(ink, pixels, across)
    kept = np.ascontiguousarray(_without(np.ascontiguousarray(kept.T), turned, down).T)
    masks = [line.mask for line in across] + [np.ascontiguousarray(line.mask.T) for line in down]
    thickness = sorted(line.thickness for line in across + down)[len(across + down) // 2]
    beside = _beside(masks, thickness)
    kept = _without_crumbs(kept, beside, thickness)
    if len(down) == 1 and not across and not sheet.troubled and not cv2.countNonZero(kept):
        # A one from edge to edge: ruled lines are level or many. In uneven light it may be the edge of a shadow.
        return
    gone = cv2.dilate(cv2.subtract(ink, kept), _CROSS, iterations=2)
    sheet.pixels = cv2.bitwise_and(sheet.pixels, cv2.bitwise_not(cv2.subtract(gone, cv2.dilate(kept, _CROSS))))
    sheet.ink, sheet.lines = kept, beside


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def _may_show_box(ink: Image) -> bool:
    """Tell cheaply whether there may be a box: whether there are thin level strokes and thin upright ones."""
    by = max(1, max(ink.shape) // LOOK_SIDE)
    size = max(1, ink.shape[1] // by), max(1, ink.shape[0] // by)
    small = cv2.resize(ink[: size[1] * by, : size[0] * by], size, interpolation=cv2.INTER_AREA)
    small = cv2.threshold(small, 64, 255, cv2.THRESH_BINARY)[1]
    thick, long = max(2, round(THICKEST * min(small.shape))) + 1, max(6, round(LOOK_LONG * max(small.shape)))
    x, y, width, height = cv2.boundingRect(small)
    # With so much paper around the ink that gaps close as they would on all of it.
    small = small[region((x, y, width, height), long)]
    return _has_level(small, thick, long) and _has_level(cv2.transpose(small), thick, long)


def _has_level(small: Image, thick: int, long: int) -> bool:
    """Tell whether a picture shows a level stroke that is thinner and longer than this, be it dashed."""
    dash = np.ones((1, max(3, long // 2)), np.uint8)
    thin = cv2.subtract(small, opened(small, (1, thick)))
    return cv2.countNonZero(fits(cv2.morphologyEx(thin, cv2.MORPH_CLOSE, dash), (long, 1))) > 0


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
        thick = opened(ink, (1, line.thickness + max(1, round(0.5 * line.thickness))))
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
    """Drop what is left of lines where they cross or end, ink that is hardly longer than they are thick, and teeth."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=cv2.CV_16U)
    on_lines = np.bincount(labels[lines > 0], minlength=len(boxes)) > 0
    crumbs = boxes[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1) <= 4 * thickness + 2
    sticks = on_lines & ~crumbs & (boxes[:, cv2.CC_STAT_WIDTH] <= 2 * thickness + 1)
    crumbs[_alike(boxes, np.flatnonzero(sticks), thickness + 2)] = True
    return np.where((crumbs & on_lines)[labels], np.uint8(0), ink)


def _alike(boxes: NDArray[np.int32], sticks: NDArray[np.intp], near: int) -> NDArray[np.intp]:
    """Keep the upright sticks that have a fellow as high as they are: a comb has many teeth, a line one digit one."""
    tops = boxes[sticks, cv2.CC_STAT_TOP]
    bottoms = tops + boxes[sticks, cv2.CC_STAT_HEIGHT]
    alike = (np.abs(tops[:, np.newaxis] - tops) <= near) & (np.abs(bottoms[:, np.newaxis] - bottoms) <= near)
    found: NDArray[np.intp] = sticks[alike.sum(axis=1) > 1]
    return found
