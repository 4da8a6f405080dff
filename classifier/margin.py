"""A digit that fills a small picture from one side to the other gets paper around it, as the steps that follow expect."""

from __future__ import annotations

import cv2
import numpy as np

from classifier.paper import DIGITS_RIM, is_clean, rim_share
from classifier.sheet import SMALL_SIDE, Sheet, inked, touches_border

#: Width of the paper that is added on each side, as a share of the picture's longer side.
MARGIN = 0.25
#: Least share of all ink that the digit has, and of its longer side that its shorter one measures; a line has less.
MOST_OF_IT, NO_LINE = 0.9, 0.08
#: Most holes that a digit has: an 8 has two, and another stroke may cross it. Texture has more.
MAX_HOLES = 3


def add_margin(sheet: Sheet) -> None:
    """Add paper on all sides of a picture that was cut at the edges of its digit's box.

    Such a digit would count as cut off by the border, and light could not be told from it. The paper is the median of
    what is no ink.
    """
    if not _is_filled(sheet):
        return
    pixels, ink = sheet.pixels, inked(sheet)
    paper = float(np.median(pixels[ink == 0]))
    width = round(MARGIN * max(pixels.shape))
    around = (width,) * 4
    sheet.pixels = cv2.copyMakeBorder(pixels, *around, cv2.BORDER_CONSTANT, value=paper)
    sheet.ink = cv2.copyMakeBorder(ink, *around, cv2.BORDER_CONSTANT, value=0)


def _is_filled(sheet: Sheet) -> bool:
    """Tell whether a single piece of ink, and no line, reaches from one side of a small picture to the opposite one.

    In a large picture, or on paper that is not clean, that may be a shadow.
    """
    ink = inked(sheet)
    rows, columns = ink.shape
    if max(rows, columns) > SMALL_SIDE or not (touches_border(sheet) and is_clean(sheet.pixels)):
        return False
    if rim_share(ink) > DIGITS_RIM:
        return False
    _, _, boxes, _ = cv2.connectedComponentsWithStats(ink)
    areas = boxes[1:, cv2.CC_STAT_AREA]
    if not len(areas) or areas.max() < MOST_OF_IT * areas.sum():
        return False
    _, _, width, height, _ = boxes[1 + int(areas.argmax())]
    if (width < columns and height < rows) or min(width, height) < NO_LINE * max(width, height):
        return False
    _, hierarchy = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return int((hierarchy[0, :, 3] >= 0).sum()) <= MAX_HOLES
