"""Bring any picture of one digit into the form of MNIST: 28x28, ink bright on black, centred by mass.

The same steps serve training and scoring. MNIST's own digits pass unchanged. Whoever alters a single prepared pixel
raises `classifier.artifact.PREPROCESSING_VERSION`.
"""

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

#: Least difference between ink and paper, in grey levels; under it there is no ink but noise and shade.
MIN_CONTRAST = 24
#: Fewest pixels of ink; fewer are a speck.
MIN_INK = 8
#: Pictures with a longer side than this get single-pixel specks taken out of their ink, in pixels.
SPECK_SIDE = 40
#: About as many rows of a picture are looked at to part ink from paper.
SAMPLED_ROWS = 64
#: Farthest that the centre of mass of a digit in MNIST's form lies from the middle, in pixels.
MAX_OFF_CENTRE = 1.0
#: Coordinate of the middle: the centre of mass of MNIST's digits lies on pixel 14 but for rounding.
MIDDLE = 14.0

Image = NDArray[np.uint8]


@dataclass(slots=True)
class Sheet:
    """A picture on its way through the steps."""

    #: uint8, (height, width), or (height, width, 3) in BGR before the first step.
    pixels: Image
    #: uint8, (height, width), 255 where there is ink; None until it is found.
    ink: Image | None = None
    #: Mean grey level of the paper, its standard deviation, and mean grey level of the ink.
    paper: float = 0.0
    grain: float = 0.0
    white: float = 255.0


def prepare(image: Image) -> Image:
    """Bring a picture of one digit into the form of MNIST (LeCun et al. 1998, section III-A).

    Args:
        image: uint8, (height, width) grey or (height, width, 3) BGR; dark ink on light paper or the reverse.

    Returns:
        uint8, (28, 28), ink bright on 0.

    Raises:
        ImageRejected: `blank`, there is no ink to be seen.
    """
    sheet = Sheet(image)
    for step in FIND:
        step(sheet)
    if not in_mnist_form(sheet.pixels):
        for step in FORM:
            step(sheet)
    return sheet.pixels


def explain(image: Image) -> list[tuple[str, Image]]:
    """Prepare a picture and keep what every step made of it.

    Args:
        image: as for `prepare`.

    Returns:
        Pairs of a step's name and its picture, the original first, the prepared image last.

    Raises:
        ImageRejected: `blank`, there is no ink to be seen.
    """
    sheet = Sheet(image)
    pictures = [("original", image)]
    for step in FIND:
        step(sheet)
        pictures.append((NAMES[step], sheet.pixels.copy()))
    if in_mnist_form(sheet.pixels):
        return [*pictures, ("already in MNIST's form", sheet.pixels)]
    for step in FORM:
        step(sheet)
        pictures.append((NAMES[step], sheet.pixels.copy()))
    return pictures


def to_network_input(images: Image) -> NDArray[np.float32]:
    """Scale prepared images to what networks take.

    Args:
        images: uint8, (n, 28, 28).

    Returns:
        float32, (n, 28, 28, 1), 0 (paper) to 1 (ink).
    """
    return np.multiply(images, np.float32(1 / 255), dtype=np.float32)[..., np.newaxis]


def in_mnist_form(pixels: Image) -> bool:
    """Tell whether a picture is in MNIST's form already: 28x28, on pure black, small enough and centred.

    Args:
        pixels: uint8, (height, width), ink bright.
    """
    if pixels.shape != (SIDE, SIDE):
        return False
    _, _, width, height = cv2.boundingRect(pixels)
    if width > INK_SIDE or height > INK_SIDE:
        return False
    x, y = centre_of_mass(pixels)
    return abs(x - MIDDLE) <= MAX_OFF_CENTRE and abs(y - MIDDLE) <= MAX_OFF_CENTRE


def centre_of_mass(pixels: Image) -> tuple[float, float]:
    """Find the centre of mass of the grey levels, in pixels from the left and from the top.

    Raises:
        ImageRejected: `blank`, every pixel is black and there is no mass.
    """
    moments = cv2.moments(pixels)
    if moments["m00"] == 0:
        raise _faint()
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


def to_grey(sheet: Sheet) -> None:
    """Drop colour."""
    if sheet.pixels.ndim == 3:
        sheet.pixels = cv2.cvtColor(sheet.pixels, cv2.COLOR_BGR2GRAY)


def find_ink(sheet: Sheet) -> None:
    """Part ink from paper (Otsu 1979) and turn the picture so that ink is bright; paper is what the border shows."""
    low, high, _, _ = cv2.minMaxLoc(sheet.pixels)
    if high - low < MIN_CONTRAST:
        raise ImageRejected(Reason.BLANK, f"The image is blank: its grey levels differ by {high - low:.0f} only.")
    threshold, _ = cv2.threshold(_some_rows(sheet.pixels), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, bright = cv2.threshold(sheet.pixels, threshold, 255, cv2.THRESH_BINARY)
    if _border_is_bright(bright):
        sheet.pixels = cv2.bitwise_not(sheet.pixels)
        bright = cv2.bitwise_not(bright)
    sheet.ink = bright


def drop_specks(sheet: Sheet) -> None:
    """Take single-pixel specks out of the ink of a larger picture, unless its strokes are as thin as specks."""
    ink = _ink(sheet)
    if max(ink.shape) > SPECK_SIDE:
        smooth: Image = cv2.medianBlur(ink, 3)
        if 2 * cv2.countNonZero(smooth) > cv2.countNonZero(ink):
            sheet.ink = ink = smooth
    if cv2.countNonZero(ink) < MIN_INK:
        raise ImageRejected(Reason.BLANK, "The image is blank: it shows specks, but no stroke.")


def crop(sheet: Sheet) -> None:
    """Cut out the box of the ink."""
    ink = _ink(sheet)
    x, y, width, height = cv2.boundingRect(ink)
    sheet.pixels = sheet.pixels[y : y + height, x : x + width]
    sheet.ink = ink[y : y + height, x : x + width]


def take_levels(sheet: Sheet) -> None:
    """Measure how bright paper and ink are, and how much the paper varies."""
    pixels, ink = _some_rows(sheet.pixels), _some_rows(_ink(sheet))
    strokes, area = cv2.countNonZero(ink), ink.size
    if strokes in (0, area):
        return
    mean, deviation = cv2.meanStdDev(pixels, mask=cv2.bitwise_not(ink))
    paper = float(mean[0, 0])
    # The mean of the ink from the means of all and of paper: a second look through a mask would cost ten times more.
    white = (cv2.mean(pixels)[0] * area - paper * (area - strokes)) / strokes
    if white - paper < MIN_CONTRAST:
        raise _faint()
    sheet.paper, sheet.grain, sheet.white = paper, float(deviation[0, 0]), white


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


def _faint() -> ImageRejected:
    return ImageRejected(Reason.BLANK, "The image is blank: what differs from the paper is too faint to be ink.")


def _ink(sheet: Sheet) -> Image:
    if sheet.ink is None:
        raise ValueError("find_ink comes first")
    return sheet.ink


def _some_rows(pixels: Image) -> Image:
    """Take evenly spaced rows of a tall picture: for a histogram or a mean a few dozen tell as much as a thousand."""
    return pixels[:: max(1, len(pixels) // SAMPLED_ROWS)]


def _border_is_bright(bright: Image) -> bool:
    """Tell whether more than half of the outermost pixels are set; a sum less a sum is quicker than four slices."""
    height, width = bright.shape
    border = 2 * (height + width) - 4
    inner = cv2.countNonZero(bright[1:-1, 1:-1]) if height > 2 and width > 2 else 0
    return bool(2 * (cv2.countNonZero(bright) - inner) > border)


Step = Callable[[Sheet], None]

#: What happens to every picture, in order.
FIND: tuple[Step, ...] = (to_grey, find_ink)
#: What happens after it to a picture that is not in MNIST's form, in order.
FORM: tuple[Step, ...] = (drop_specks, crop, take_levels, fit, clear_paper, centre)

#: What a person calls the steps.
NAMES: dict[Step, str] = {
    to_grey: "grey",
    find_ink: "ink bright on dark",
    drop_specks: "specks dropped",
    crop: "box of the ink",
    take_levels: "levels of paper and ink taken",
    fit: "scaled into 20x20",
    clear_paper: "paper black, ink white",
    centre: "centred by mass in 28x28",
}
