"""The pieces of one digit go together; dust and a neighbour's strokes go; two digits are two."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from classifier.components import find_digits
from classifier.predict import Predictor
from classifier.preprocess import Image, prepare
from core.errors import ImageRejected
from core.vocabulary import Reason
from tests.classifier.shares import share_read
from training.dataset import Digits

Scan = Callable[[int], Image]


def dusty(page: Image) -> Image:
    """Specks of three sizes all over the paper."""
    random = np.random.default_rng(3)
    for x, y, radius in zip(*random.integers(5, 195, (2, 25)), random.integers(0, 3, 25), strict=True):
        cv2.circle(page, (int(x), int(y)), int(radius), 60, -1)
    return page


def with_neighbour(page: Image) -> Image:
    """A stroke of the digit to the right, cut off by the border."""
    cv2.ellipse(page, (206, 95), (18, 55), 0, 90, 270, 30, 9)
    return page


def broken(page: Image) -> Image:
    """Strokes with gaps, as a dry pen leaves them."""
    page[58:61] = page[110:113] = 230
    return page


def ringed(page: Image) -> Image:
    """A ring around the digit."""
    page = np.asarray(cv2.copyMakeBorder(page, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=230), np.uint8)
    cv2.ellipse(page, (138, 115), (85, 83), 0, 0, 360, 40, 5)
    return page


def underlined(page: Image) -> Image:
    """A stroke by hand below the digit, a little askew."""
    cv2.line(page, (48, 168), (152, 164), 40, 6, cv2.LINE_AA)
    return page


@pytest.mark.parametrize(
    "alter", [pytest.param(alter, id=alter.__name__) for alter in (dusty, with_neighbour, broken, ringed, underlined)]
)
def test_a_digit_among_other_ink_is_read(
    alter: Callable[[Image], Image], scan: Scan, digits: Digits, predictor: Predictor
) -> None:
    assert share_read((alter(scan(index)) for index in range(60)), digits.labels, predictor) >= 0.93


def test_a_digit_alone_is_kept_whole(scan: Scan) -> None:
    ink = cv2.compare(scan(0), 130, cv2.CMP_LT)
    (digit,) = find_digits(ink)
    assert (digit.left, digit.top, digit.width, digit.height) == cv2.boundingRect(ink)


@pytest.mark.parametrize("count", [2, 3])
def test_digits_side_by_side_are_several(count: int, scan: Scan) -> None:
    with pytest.raises(ImageRejected, match=f"{count} digits") as rejected:
        prepare(np.hstack([scan(index) for index in range(count)]))
    assert rejected.value.reason is Reason.SEVERAL


def test_an_underline_does_not_make_one_digit_of_two(scan: Scan) -> None:
    page = np.hstack([scan(0), scan(2)])
    cv2.line(page, (50, 162), (350, 160), 40, 6)
    assert len(find_digits(cv2.compare(page, 130, cv2.CMP_LT))) == 2


def test_the_foot_of_a_two_that_the_pen_skipped_is_no_underline() -> None:
    ink = np.zeros((200, 200), np.uint8)
    cv2.ellipse(ink, (100, 70), (40, 40), 0, 180, 400, 255, 8)
    cv2.line(ink, (125, 100), (70, 146), 255, 8)
    cv2.line(ink, (72, 158), (136, 158), 255, 8)
    (digit,) = find_digits(ink)
    assert digit.bottom > 155


def test_a_digit_that_touches_the_border_is_read_where_nothing_else_is(
    scan: Scan, digits: Digits, predictor: Predictor
) -> None:
    tight = []
    for index in range(60):
        page = scan(index)
        x, y, width, height = cv2.boundingRect(cv2.compare(page, 130, cv2.CMP_LT))
        tight.append(page[y : y + height, x : x + width])
    assert share_read(tight, digits.labels, predictor) >= 0.93


def test_specks_alone_are_blank() -> None:
    with pytest.raises(ImageRejected) as rejected:
        find_digits(np.pad(np.full((3, 3), 255, np.uint8), 60))
    assert rejected.value.reason is Reason.BLANK
