"""The size that a picture is worked on in: large ones shrunk, repeated pixels made one, tiny ones enlarged."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.sheet import LONE_SIDE, SIDE, Image, Sheet

#: Longest side that the steps work on, in pixels; larger pictures are shrunk by a whole number.
WORK_SIDE = 1000
#: Longer side that a picture smaller than MNIST's is enlarged to at least, in pixels.
LEAST_SIDE = 56
#: Least longer side of a picture whose repeated pixels are made one, in pixels; a digit takes as many.
LEAST_PIXELS = 5
#: Rows and columns that repeated pixels are looked for in, before all of them are.
LOOKED_AT = 8


def merge_repeated(sheet: Sheet) -> None:
    """Make one pixel of each square of equal ones, where the whole picture is made of such squares.

    So is one that was enlarged by repeating its pixels, whose corners would count as strokes' otherwise.
    """
    if max(sheet.pixels.shape[:2]) > SIDE and (by := _repeated(sheet.pixels)) > 1:
        sheet.pixels = np.ascontiguousarray(sheet.pixels[::by, ::by])


def shrink(sheet: Sheet) -> None:
    """Bring a large picture down to a bounded size by the mean of whole blocks of pixels."""
    height, width = sheet.pixels.shape[:2]
    by = -(-max(height, width) // WORK_SIDE)
    if by > 1:
        rows, columns = min(by, height), min(by, width)
        size = width // columns, height // rows
        whole = sheet.pixels[: size[1] * rows, : size[0] * columns]
        sheet.pixels = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)


def enlarge(sheet: Sheet) -> None:
    """Enlarge a tiny picture by a whole number, so that a stroke has pixels to spare for the steps that follow."""
    height, width = sheet.pixels.shape[:2]
    sheet.lone = max(height, width) <= LONE_SIDE
    if max(height, width) < SIDE:
        by = sheet.enlarged = -(-LEAST_SIDE // max(height, width))
        sheet.pixels = cv2.resize(sheet.pixels, (width * by, height * by), interpolation=cv2.INTER_CUBIC)


def _repeated(pixels: Image) -> int:
    """Find the side of the squares of equal pixels that a picture is made of; 1 where it is not."""
    height, width = pixels.shape[:2]
    by = int(np.gcd(height, width))
    middle = pixels[height // 2][np.newaxis]  # alone tells of most pictures that they are not
    rows, columns = pixels[:: -(-height // LOOKED_AT)], pixels[:, :: -(-width // LOOKED_AT)].swapaxes(0, 1)
    for lines in (middle, rows, columns):
        by = int(np.gcd.reduce(_changes(lines), initial=by))
        if by == 1:
            return 1
    if max(height, width) < LEAST_PIXELS * by:
        return 1
    single = pixels[::by, ::by]
    return by if np.array_equal(single.repeat(by, axis=0).repeat(by, axis=1), pixels) else 1


def _changes(lines: Image) -> NDArray[np.intp]:
    """Tell in which columns any of some lines changes."""
    changed = lines[:, 1:] != lines[:, :-1]
    return np.flatnonzero(changed.any(axis=0 if changed.ndim == 2 else (0, 2))) + 1
