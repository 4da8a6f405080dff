"""Pictures of any size are brought to one that is good to work on, and digits of other databases are read as they come."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

from classifier.margin import add_margin
from classifier.predict import Predictor
from classifier.preprocess import FIND, Image, Sheet, prepare
from classifier.scale import WORK_SIDE, enlarge, merge_repeated, shrink
from tests.classifier.shares import share_read
from training.dataset import Digits

Scan = Callable[[int], Image]


def test_a_large_picture_is_shrunk_and_a_small_one_is_not() -> None:
    large, small = Sheet(np.zeros((3000, 2001, 3), np.uint8)), Sheet(np.zeros((WORK_SIDE, 20), np.uint8))
    shrink(large)
    shrink(small)
    assert large.pixels.shape == (1000, 667, 3)
    assert small.pixels.shape == (WORK_SIDE, 20)


def test_a_long_strip_is_shrunk_along_its_length_alone_once_nothing_is_left_of_its_height() -> None:
    strip = Sheet(np.zeros((2, 40_000), np.uint8))
    shrink(strip)
    assert strip.pixels.shape == (1, 1000)


@pytest.mark.parametrize("how", ["light on dark", "dark on light", "enlarged smoothly", "every pixel repeated"])
def test_digits_of_eight_by_eight_pixels_that_fill_their_box_are_read(how: str, predictor: Predictor) -> None:
    theirs = load_digits()  # of 43 people, by E. Alpaydin and C. Kaynak (1998)
    pictures = [(image * 255 / 16).astype(np.uint8) for image in theirs.images[:300]]
    changed: dict[str, Callable[[Image], Image]] = {
        "light on dark": lambda image: image,
        "dark on light": lambda image: 255 - image,
        "enlarged smoothly": lambda image: np.asarray(cv2.resize(image, (64, 64), interpolation=cv2.INTER_CUBIC)),
        "every pixel repeated": lambda image: image.repeat(20, axis=0).repeat(20, axis=1),
    }
    assert share_read(map(changed[how], pictures), theirs.target[:300].astype(np.int64), predictor) >= 0.95


def test_a_picture_of_repeated_pixels_comes_out_as_the_one_it_was_made_of(digits: Digits) -> None:
    for image in 255 - digits.images[:20]:
        assert np.array_equal(prepare(image.repeat(10, axis=0).repeat(10, axis=1)), prepare(image))


@pytest.mark.parametrize("colour", [False, True])
def test_pixels_are_made_one_only_where_the_whole_picture_is_of_such_squares(colour: bool, scan: Scan) -> None:
    page = scan(0)
    page = np.stack([page] * 3, axis=-1) if colour else page
    blocks = page.repeat(3, axis=0).repeat(3, axis=1)
    nearly = blocks.copy()
    nearly[301, 7] ^= 1
    assert np.array_equal(merged(blocks), page)
    assert np.array_equal(merged(nearly), nearly)
    assert np.array_equal(merged(page), page)


def test_an_empty_page_is_not_made_a_pixel() -> None:
    page = np.full((3000, 4000), 230, np.uint8)
    assert merged(page).shape == page.shape


def test_only_what_is_smaller_than_mnist_s_pictures_is_enlarged_and_keeps_its_proportions() -> None:
    for size, wanted in {(8, 8): (56, 56), (16, 10): (64, 40), (28, 20): (28, 20), (1, 27): (3, 81)}.items():
        sheet = Sheet(np.zeros(size, np.uint8))
        enlarge(sheet)
        assert sheet.pixels.shape == wanted


def test_paper_is_added_around_a_digit_that_fills_its_picture() -> None:
    ring = np.zeros((60, 50), np.uint8)
    cv2.ellipse(ring, (25, 30), (20, 28), 0, 0, 360, 255, 5)
    assert with_margin(ring).shape == (60 + 2 * 15, 50 + 2 * 15)
    assert with_margin(np.pad(ring, 1)).shape == (62, 52)


def test_no_paper_is_added_around_a_printed_line() -> None:
    ruled = np.zeros((60, 60), np.uint8)
    ruled[29:32] = 255
    assert with_margin(ruled).shape == (60, 60)


def merged(picture: Image) -> Image:
    """A picture once its repeated pixels are made one."""
    sheet = Sheet(picture)
    merge_repeated(sheet)
    return sheet.pixels


def with_margin(picture: Image) -> Image:
    """A picture of light ink after the step that adds paper."""
    sheet = Sheet(picture)
    for step in FIND:
        step(sheet)
    add_margin(sheet)
    return sheet.pixels
