"""A picture on its way through the steps of preprocessing, and how it is turned away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import ImageRejected
from core.vocabulary import Reason

#: Side of a prepared image, in pixels.
SIDE = 28
#: Side of the square that the ink is scaled into, in pixels.
INK_SIDE = 20
#: Longer side of a picture that has room for one digit alone: what stands apart in it is broken or soiled; and of one
#: that has room for digits and hardly for what they lie on, in pixels.
LONE_SIDE, SMALL_SIDE = 40, 84
#: Least difference of any two pixels that can be ink on paper, in grey levels.
MIN_RANGE = 6
#: Least difference between ink and paper, in grey levels; what differs less is there, but not to be trusted.
MIN_CONTRAST = 14
#: About as many rows of a picture are looked at to part ink from paper.
SAMPLED_ROWS = 64

Image = NDArray[np.uint8]
#: First column and row, width and height, in pixels.
Box = tuple[int, int, int, int]


@dataclass(slots=True)
class Sheet:
    """A picture on its way through the steps."""

    #: uint8, (height, width), or (height, width, 3) in BGR before `to_grey`.
    pixels: Image
    #: The picture before it lost its colour; None until then.
    taken: Image | None = None
    #: True where it has room for one digit alone, and by how much it was enlarged.
    lone: bool = False
    enlarged: int = 1
    #: uint8, (height, width), 255 where there is ink; None until it is found.
    ink: Image | None = None
    #: uint8, (height, width), 255 on and beside printed lines that were erased; None where there were none.
    lines: Image | None = None
    #: True where the picture was dark on light, and `pixels` are its negative.
    turned: bool = False
    #: True where light is uneven or paper is grainy, so that one threshold for all will not do.
    troubled: bool = False
    #: Grey level of the paper, its standard deviation, and mean grey level of the ink, once ink is bright.
    paper: float = 0.0
    grain: float = 0.0
    white: float = 255.0
    #: Box of the ink, and the mask that it was measured on; see `ink_box`.
    box: Box = (0, 0, 0, 0)
    boxed: Image | None = None
    #: Length of the outlines of the ink, in pixels, where a step has followed them and none has changed the ink since.
    around: float | None = None


Step = Callable[[Sheet], None]


def inked(sheet: Sheet) -> Image:
    """Give the mask of the ink, which `turn` makes first.

    Raises:
        ValueError: no step has looked for ink yet.
    """
    if sheet.ink is None:
        raise ValueError("turn comes first")
    return sheet.ink


def ink_box(sheet: Sheet) -> Box:
    """Find the box of the ink; measured once for each mask, for several steps ask for it.

    Raises:
        ValueError: no step has looked for ink yet.
    """
    ink = inked(sheet)
    if sheet.boxed is not ink:
        x, y, width, height = cv2.boundingRect(ink)
        sheet.box, sheet.boxed = (x, y, width, height), ink
    return sheet.box


def touches_border(sheet: Sheet) -> bool:
    """Tell whether there is ink at the picture's border."""
    x, y, width, height = ink_box(sheet)
    rows, columns = inked(sheet).shape
    return width > 0 and (min(x, y) == 0 or x + width == columns or y + height == rows)


def region(box: Box, reach: int = 0) -> tuple[slice, slice]:
    """Give the rows and columns of a box and of what lies so near to it, in pixels."""
    x, y, width, height = box
    return slice(max(0, y - reach), y + height + reach), slice(max(0, x - reach), x + width + reach)


def sum_under(pixels: Image, mask: Image) -> float:
    """Add up the pixels that a mask of 0 and 255 marks, several times as quick as OpenCV's mean through a mask."""
    return float(cv2.sumElems(cv2.bitwise_and(pixels, mask))[0])


def some_rows(pixels: Image) -> Image:
    """Take evenly spaced rows of a tall picture: for a histogram or a mean a few dozen tell as much as a thousand."""
    return pixels[:: max(1, len(pixels) // SAMPLED_ROWS)]


def blank(why: str) -> ImageRejected:
    """Say that there is no digit on the paper."""
    return ImageRejected(Reason.BLANK, f"The image is blank: {why}.")


def low_contrast(contrast: float) -> ImageRejected:
    """Say that there is something, but too faint to be trusted."""
    return ImageRejected(
        Reason.LOW_CONTRAST,
        f"What is drawn differs from the paper by {contrast:.0f} of 255 grey levels only, too few to be read safely.",
    )


def several(count: int) -> ImageRejected:
    """Say that more than one digit is on the paper."""
    return ImageRejected(Reason.SEVERAL, f"The image shows {count} digits; one image holds one digit.")
