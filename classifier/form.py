"""Bring a digit that stands alone into the form of MNIST: levels, stroke width, 20x20, centre of mass in 28x28."""

from __future__ import annotations

import math

import cv2
import numpy as np

from classifier.sheet import (
    INK_SIDE,
    MIN_CONTRAST,
    MIN_RANGE,
    SIDE,
    Image,
    Sheet,
    blank,
    ink_box,
    inked,
    low_contrast,
    region,
    some_rows,
    sum_under,
)

#: Farthest that the centre of mass of a digit in MNIST's form lies from the middle, in pixels.
MAX_OFF_CENTRE = 0.6
#: Coordinate of the middle: the centre of mass of MNIST's digits lies on pixel 14 but for rounding.
MIDDLE = 14.0
#: Least longer side of the ink of a digit in MNIST's form, in pixels; all but a few of MNIST's have 20.
MIN_INK_SIDE = 19
#: Least size of what is called faint rather than a speck, as a share of the picture's longer side.
FAINT_SHARE = 0.12
#: Contrast below which uneven paper shows through, in grey levels and in deviations of its grain.
TROUBLED_CONTRAST, CLEARLY = 42, 6
#: Longer side of a digit while its strokes are widened or narrowed, in pixels.
STROKE_SIDE = 100
#: Strokes between these widths are left alone, in pixels of the 20x20 box.
THINNEST, THICKEST = 2.2, 4.4


def in_mnist_form(pixels: Image) -> bool:
    """Tell whether a picture is in MNIST's form already: 28x28, on pure black, 20 pixels long and centred.

    Args:
        pixels: uint8, (height, width), ink bright.
    """
    if pixels.shape != (SIDE, SIDE):
        return False
    _, _, width, height = cv2.boundingRect(pixels)
    if not MIN_INK_SIDE <= max(width, height) <= INK_SIDE:
        return False
    x, y = centre_of_mass(pixels)
    return abs(x - MIDDLE) <= MAX_OFF_CENTRE and abs(y - MIDDLE) <= MAX_OFF_CENTRE


def passes_unchanged(picture: Image) -> bool:
    """Tell, quicker than by taking them, that no step would alter a picture, for MNIST's own are most that are read.

    Black all around, its paper is dark for sure, and no band ends at its border.

    Args:
        picture: uint8, (height, width) grey or (height, width, 3) BGR, as it comes.
    """
    if picture.shape != (SIDE, SIDE):
        return False
    left, top, width, height = cv2.boundingRect(picture)
    if min(left, top) == 0 or left + width == SIDE or top + height == SIDE:
        return False
    return in_mnist_form(picture) and int(picture.max()) >= MIN_RANGE


def centre_of_mass(pixels: Image) -> tuple[float, float]:
    """Find the centre of mass of the grey levels, in pixels from the left and from the top.

    Raises:
        ImageRejected: `blank`, every pixel is black and there is no mass.
    """
    moments = cv2.moments(pixels)
    if moments["m00"] == 0:
        raise blank("what differs from the paper fades when it is scaled")
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


def take_levels(sheet: Sheet) -> None:
    """Measure how bright paper and ink are, and how much the paper varies, near the digit.

    Raises:
        ImageRejected: `low_contrast`, ink and paper differ by too little; `blank`, by too little and in a speck only.
    """
    _, _, width, height = ink_box(sheet)
    near = region(ink_box(sheet), max(1, max(width, height) // 8))
    pixels, ink = some_rows(sheet.pixels[near]), some_rows(inked(sheet)[near])
    strokes, area = cv2.countNonZero(ink), ink.size
    if strokes in (0, area):
        return
    free = cv2.subtract(pixels, ink)
    paper, squares = cv2.sumElems(free)[0] / (area - strokes), cv2.norm(free, cv2.NORM_L2SQR) / (area - strokes)
    grain = math.sqrt(max(squares - paper**2, 0.0))
    white = sum_under(pixels, ink) / strokes
    if sheet.troubled and white - paper < min(TROUBLED_CONTRAST, CLEARLY * grain):
        raise blank("nothing stands out of its uneven paper")
    if white - paper < MIN_CONTRAST:
        faint_speck = max(width, height) < FAINT_SHARE * max(sheet.pixels.shape)
        raise blank("it shows faint specks, but no stroke") if faint_speck else low_contrast(white - paper)
    sheet.paper, sheet.grain, sheet.white = paper, grain, white


def crop(sheet: Sheet) -> None:
    """Cut out the box of the ink."""
    box = region(ink_box(sheet))
    sheet.pixels, sheet.ink = sheet.pixels[box], inked(sheet)[box]


def clear_around(sheet: Sheet) -> None:
    """Make paper of all that is neither ink nor its soft edge, where light is uneven or lines were erased.

    What is paler than ink was found to be none: shadow, and lines too pale to be taken off one by one.
    """
    if sheet.lines is None and not sheet.troubled:
        return
    ink = inked(sheet)
    reach = max(2, round(stroke_width(ink, sheet.around) / 2))
    near = cv2.dilate(ink, np.ones((2 * reach + 1,) * 2, np.uint8))
    sheet.pixels = np.where(near > 0, sheet.pixels, np.uint8(sheet.paper))


def even_stroke(sheet: Sheet) -> None:
    """Thicken hairlines and thin fat strokes until they are as wide as MNIST's."""
    width = stroke_width(inked(sheet), sheet.around) * INK_SIDE / max(sheet.pixels.shape)
    if THINNEST <= width <= THICKEST:
        return
    sheet.around = None
    _resize(sheet, thin=width < THINNEST)
    unit = max(sheet.pixels.shape) / INK_SIDE
    width = stroke_width(inked(sheet)) / unit
    if width < THINNEST:
        _thicken(sheet, (THINNEST - width) * unit / 2)
    elif width > THICKEST:
        _thin(sheet, THICKEST * unit)


def _resize(sheet: Sheet, *, thin: bool) -> None:
    """Bring the digit to a size at which a stroke has pixels to spare, and no more than needed."""
    height, width = sheet.pixels.shape
    scale = STROKE_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pixels, ink = sheet.pixels, inked(sheet)
    if thin and scale < 1:
        # A hairline would fade in the mean of its surroundings, so it is made as wide as what is averaged.
        brush = np.ones((math.ceil(1 / scale),) * 2, np.uint8)
        pixels, ink = cv2.dilate(pixels, brush), cv2.dilate(ink, brush)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    sheet.pixels = cv2.resize(pixels, size, interpolation=how)
    sheet.ink = cv2.threshold(cv2.resize(ink, size, interpolation=how), 127, 255, cv2.THRESH_BINARY)[1]


def stroke_width(ink: Image, around: float | None = None) -> float:
    """Measure the mean width of strokes, in pixels: twice their area by the length of their outlines.

    Args:
        ink: uint8, (height, width), 255 where there is ink.
        around: length of the outlines, where they were followed before.
    """
    if around is None:
        contours, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        around = sum(cv2.arcLength(contour, True) for contour in contours)
    area = cv2.countNonZero(ink)
    # The outline runs through the middles of the outermost pixels, half a pixel inside of the edge.
    return 2 * area / (around + 4) if around else 1.0


def _thicken(sheet: Sheet, by: float) -> None:
    """Widen strokes by so many pixels on either side."""
    ink = inked(sheet)
    reach = max(1, round(by))
    edge = reach + 1
    around = cv2.BORDER_CONSTANT
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    sheet.pixels = cv2.dilate(cv2.copyMakeBorder(sheet.pixels, edge, edge, edge, edge, around), brush)
    sheet.ink = cv2.dilate(cv2.copyMakeBorder(ink, edge, edge, edge, edge, around), brush)
    crop(sheet)


def _thin(sheet: Sheet, width: float) -> None:
    """Narrow strokes to a width, in pixels, along their middle; where they are narrower they stay as they are."""
    ink = cv2.copyMakeBorder(inked(sheet), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    reach = max(1, round(float(depth.max())))
    middle = cv2.dilate(depth, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    kept = ((depth > middle - width / 2) & (depth > 0)).astype(np.uint8)[1:-1, 1:-1] * 255
    sheet.pixels = cv2.bitwise_and(sheet.pixels, kept)
    sheet.ink = kept
    crop(sheet)


def fit(sheet: Sheet) -> None:
    """Scale the box into 20x20; its proportions and the grey levels of its edges stay."""
    height, width = sheet.pixels.shape
    scale = INK_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    sheet.pixels = cv2.resize(sheet.pixels, size, interpolation=how)


def clear_paper(sheet: Sheet) -> None:
    """Make paper black and ink white, keeping the greys between them.

    Scaling down pales strokes that are thin for the size of the picture, so the brightest that is left counts as ink.
    """
    white = min(sheet.white, cv2.minMaxLoc(sheet.pixels)[1])
    black = min(sheet.paper + 2 * sheet.grain, (sheet.paper + white) / 2)
    sheet.pixels = cv2.convertScaleAbs(cv2.subtract(sheet.pixels, black), alpha=255 / max(white - black, 1))


def centre(sheet: Sheet) -> None:
    """Move the centre of mass to the middle of 28x28, as far as the ink stays inside."""
    height, width = sheet.pixels.shape
    x, y = centre_of_mass(sheet.pixels)
    left = min(max(round(MIDDLE - x), 0), SIDE - width)
    top = min(max(round(MIDDLE - y), 0), SIDE - height)
    page = np.zeros((SIDE, SIDE), np.uint8)
    page[top : top + height, left : left + width] = sheet.pixels
    sheet.pixels = page
