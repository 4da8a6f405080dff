"""From a picture to ink bright on dark: one channel, one polarity."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.sheet import MIN_RANGE, SMALL_SIDE, Image, Sheet, blank, some_rows, touches_border

#: Difference of the channels under which a picture is grey, in levels.
GREY_TOLERANCE = 12
#: Rows and columns of the sample that colour is judged by.
SAMPLE = 64
#: Share of the border that one paper must take up at least for the border to tell ink from paper.
CLEAR_BORDER = 0.9
#: Most of the border that a digit takes up which fills its picture; what takes up more is a frame, or paper.
DIGITS_RIM = 0.6
#: Least share of a picture that is black or white where its paper was cleaned.
CLEAN = 0.15
#: How far inside a frame is looked past, and how large corners are: the shorter side by this.
FRAME_PART = 12
#: Most pixels between dark and bright, as a share of all, in a picture that has two levels but for soft edges.
MAX_BETWEEN = 0.25
#: Least share of rows in which ink and paper change places at the seam of a band, and its least share of the width.
SEAM, MIN_BAND = 0.6, 0.1


def to_grey(sheet: Sheet) -> None:
    """Drop colour along the direction in which ink stands out most.

    That is the principal direction of the differences between neighbouring pixels (Di Zenzo 1986): slow shade does
    not enter, and blue or red ink keeps the contrast that the usual mix of the channels would pale.
    """
    sheet.taken = sheet.pixels
    if sheet.pixels.ndim == 2:
        return
    height, width = sheet.pixels.shape[:2]
    by = max(1, min(height, width) // SAMPLE)
    size = width // by, height // by
    sample = cv2.resize(sheet.pixels[: size[1] * by, : size[0] * by], size, interpolation=cv2.INTER_AREA)
    blue, green, red = cv2.split(sample)
    if max(cv2.norm(blue, green, cv2.NORM_INF), cv2.norm(red, green, cv2.NORM_INF)) <= GREY_TOLERANCE:
        sheet.pixels = cv2.cvtColor(sheet.pixels, cv2.COLOR_BGR2GRAY)
        return
    weights = _direction(np.stack([blue, green, red]).astype(np.float32))
    sheet.pixels = cv2.transform(sheet.pixels, weights[np.newaxis])


def _direction(planes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Find the weights of blue, green and red, float64, (3,), none below 0, that add up to 1.

    Args:
        planes: (3, height, width).
    """
    across, down = np.diff(planes, axis=2).reshape(3, -1), np.diff(planes, axis=1).reshape(3, -1)
    main = np.linalg.eigh((across @ across.T + down @ down.T).astype(np.float64))[1][:, -1]
    positive = np.maximum(main if main.sum() >= 0 else -main, 0)
    weights: NDArray[np.float64] = positive / positive.sum()
    return weights


def turn(sheet: Sheet) -> None:
    """Part ink from paper (Otsu 1979) and turn the picture so that ink is bright; paper is what the border shows."""
    low, high, _, _ = cv2.minMaxLoc(sheet.pixels)
    if high - low < MIN_RANGE:
        raise blank(f"its grey levels differ by {high - low:.0f} only")
    threshold, _ = cv2.threshold(some_rows(sheet.pixels), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, bright = cv2.threshold(sheet.pixels, threshold, 255, cv2.THRESH_BINARY)
    if _paper_is_bright(bright, sheet.pixels):
        sheet.pixels = cv2.bitwise_not(sheet.pixels)
        bright = cv2.bitwise_not(bright)
        sheet.turned = True
    sheet.ink = bright


def _paper_is_bright(bright: Image, pixels: Image) -> bool:
    """Tell paper from ink by the border, or, where that is drawn on or framed, by what lies in its corners."""
    share, all_share = rim_share(bright), cv2.countNonZero(bright) / bright.size
    if share <= 1 - CLEAR_BORDER and all_share <= 0.5:
        return False
    if share >= CLEAR_BORDER and all_share >= 0.5:
        return True
    return _inside_is_bright(bright, pixels)


def _inside_is_bright(bright: Image, pixels: Image) -> bool:
    """Let the corners and the rim of what lies inside of a frame vote, five in all, unless a digit fills the picture."""
    height, width = bright.shape
    light, dark = _fills(bright, pixels), _fills(cv2.bitwise_not(bright), cv2.bitwise_not(pixels))
    if light != dark:
        return dark
    edge = max(1, min(height, width) // FRAME_PART)
    inside = bright[edge : height - edge, edge : width - edge]
    if not inside.size:
        return 2 * cv2.countNonZero(bright) > bright.size
    corners = inside[:edge, :edge], inside[:edge, -edge:], inside[-edge:, :edge], inside[-edge:, -edge:]
    votes = sum(2 * cv2.countNonZero(corner) > corner.size for corner in corners)
    return votes + (rim_share(inside) > 0.5) > 2


def _fills(mask: Image, pixels: Image) -> bool:
    """Tell whether what is set fills a small picture as a digit does.

    It is one piece that reaches all four sides, and parts the paper at the border into several. In a large picture, or
    on paper that is not clean, a shadow or a table may do so.

    Args:
        mask: of what may be the ink.
        pixels: in which that would be bright.
    """
    height, width = mask.shape
    if max(height, width) > SMALL_SIDE or rim_share(mask) > DIGITS_RIM or not is_clean(pixels):
        return False
    count, _, boxes, _ = cv2.connectedComponentsWithStats(mask)
    return count == 2 and tuple(boxes[1, :4].tolist()) == (0, 0, width, height)


def is_clean(pixels: Image) -> bool:
    """Tell whether much of a picture of bright ink is black, as paper is once a program has cleaned it."""
    return cv2.countNonZero(cv2.inRange(pixels, 0, MIN_RANGE)) >= CLEAN * pixels.size


def rim_share(bright: Image) -> float:
    """Tell which share of the outermost pixels is set."""
    height, width = bright.shape
    inner = cv2.countNonZero(bright[1:-1, 1:-1]) if height > 2 and width > 2 else 0
    # A sum less a sum is quicker than four slices.
    return float((cv2.countNonZero(bright) - inner) / (2 * (height + width) - 4))


def turn_bands(sheet: Sheet) -> None:
    """Turn bands whose paper is dark where the rest is light, so that all paper is alike.

    A band runs from one side of the picture to the other, both its ends show the other paper, and along its seams
    ink and paper change places.
    """
    ink = sheet.ink
    if ink is None or not touches_border(sheet) or between(sheet.pixels) > MAX_BETWEEN:
        return
    for view, pixels in ((ink, sheet.pixels), (ink.T, sheet.pixels.T)):
        for band in _bands(view):
            pixels[:, band] = 255 - pixels[:, band]
            view[:, band] = 255 - view[:, band]
            sheet.boxed = None


def _bands(ink: Image) -> list[slice]:
    """Find the runs of columns that begin and end in a seam, and whose ends are ink above and below."""
    ends = (ink[0] & ink[-1]) > 0
    seams = np.flatnonzero((ink[:, 1:] != ink[:, :-1]).mean(axis=0) >= SEAM) + 1
    if not len(seams):
        return []
    runs = [slice(int(start), int(stop)) for start, stop in pairwise([0, *seams, ink.shape[1]])]
    wide = [run for run in runs if run.stop - run.start >= MIN_BAND * len(ends)]
    return [run for run in wide if ends[run].all() and np.count_nonzero(ink[:, run]) > 0.3 * ink[:, run].size]


def between(pixels: Image) -> float:
    """Tell which share of the pixels lies between dark and bright: little, but where light is uneven or noise strong."""
    low, high, _, _ = cv2.minMaxLoc(pixels)
    quarter = (high - low) / 4
    return float(cv2.countNonZero(cv2.inRange(pixels, low + quarter, high - quarter)) / pixels.size)
