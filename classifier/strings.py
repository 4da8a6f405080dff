"""Every digit of a picture, in every way in which its ink may be parted, brought into the form of MNIST.

A picture that has room for one digit alone shows one. A long row is looked at stretch by stretch: in a picture of it
that is small enough to work on its digits would be specks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from classifier.cuts import MAX_DIGITS, Way, parted
from classifier.preprocess import CLEAN, FIND, FORM, Image, Sheet, prepare
from classifier.sheet import LONE_SIDE, blank, several
from core.errors import ImageRejected
from core.vocabulary import Reason

#: Width by height above which a picture is a long row, and its stretches' most; and that of none that is written.
LONG, TOO_LONG = 8, 128
#: Paper that is added where a row was parted, as a share of its height: nobody's pen was cut off there.
ADDED = 0.12


def ways_to_read(picture: Image, *, split: bool) -> list[list[list[Image]]]:
    """Prepare the digits of a picture, in every way in which they may lie.

    Args:
        picture: as for `classifier.preprocess.prepare`.
        split: whether it may show several digits.

    Returns:
        As from `pieces`; without `split` one piece, with one way, of one digit.

    Raises:
        ImageRejected: `blank`, `low_contrast`, or `several`; with `split`, only where there are more than a string may
            have.
    """
    if split:
        return pieces(picture)
    try:
        return [[[prepare(picture)]]]
    except ImageRejected as error:
        if error.reason is Reason.SEVERAL:
            raise ImageRejected(Reason.SEVERAL, f"{error} Read it with --split.") from error
        raise


def pieces(picture: Image) -> list[list[list[Image]]]:
    """Prepare the pieces of ink of a picture, each a digit, or several that touch.

    Args:
        picture: as for `classifier.preprocess.prepare`.

    Returns:
        Of every piece, from left to right, at least one way to part it, the likeliest first; of each way its digits
        from left to right, uint8, (28, 28), ink bright on 0.

    Raises:
        ImageRejected: `blank`, there is no ink to be seen; `low_contrast`, a piece is too faint to be trusted; `several`,
            there are more pieces than a string may have.
    """
    if max(picture.shape[:2]) <= LONE_SIDE:
        return [[[prepare(picture)]]]
    stretches = list(_stretches(picture))
    found: list[list[list[Image]]] = []
    for stretch in stretches:
        try:
            ways = _ways(stretch)
        except ImageRejected as rejection:
            if rejection.reason is not Reason.BLANK or len(stretches) == 1:
                raise
        else:
            found += [_formed(each) for each in ways]
    if not found:
        raise blank("it shows no stroke")
    if len(found) > MAX_DIGITS:
        raise several(len(found))
    return found


def _stretches(picture: Image) -> Iterator[Image]:
    """Part a long row where its columns are most even, so that each stretch shows a few digits."""
    height, width = picture.shape[:2]
    start = 0
    if LONG * height < width <= TOO_LONG * height:
        grey = picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        spread = cv2.subtract(grey.max(axis=0), grey.min(axis=0)).reshape(1, -1)
        uneven = cv2.blur(spread, (max(1, height // 10), 1))[0]
        added = round(ADDED * height)
        while width - start > LONG * height:
            least = start + LONG * height // 2
            end = least + int(np.argmin(uneven[least : start + LONG * height]))
            yield _between(picture, start, end, added)
            start = end
        picture = _between(picture, start, width, added)
    yield picture


def _between(row: Image, start: int, end: int, added: int) -> Image:
    """Take columns of a row, with paper added where it was parted."""
    left, right = added * (start > 0), added * (end < row.shape[1])
    return np.asarray(cv2.copyMakeBorder(row[:, start:end], 0, 0, left, right, cv2.BORDER_REPLICATE), np.uint8)


def _ways(picture: Image) -> Iterator[list[Way]]:
    """Clean the paper, and tell in which ways each piece of ink may be parted."""
    sheet = Sheet(picture)
    for step in (*FIND, *CLEAN):
        step(sheet)
    return parted(sheet)


def _formed(ways: Sequence[Way]) -> list[list[Image]]:
    """Bring the digits of a piece into form; a cut that leaves a speck is no way to part it."""
    formed, rejections = [], []
    for way in ways:
        try:
            formed.append([_digit(part) for part in way])
        except ImageRejected as rejection:
            rejections.append(rejection)
    if not formed:
        raise rejections[0]
    return formed


def _digit(part: Sheet) -> Image:
    digit = replace(part)
    for step in FORM:
        step(digit)
    return digit.pixels
