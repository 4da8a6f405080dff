"""A digit that stands alone comes into MNIST's form: size, place, stroke width and contrast."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from classifier.form import THICKEST, THINNEST, crop, even_stroke, in_mnist_form, stroke_width
from classifier.predict import Predictor
from classifier.preprocess import FIND, INK_SIDE, SIDE, Image, Sheet, prepare
from classifier.sheet import inked
from core.errors import ImageRejected
from core.vocabulary import Reason
from training.dataset import Digits

Scan = Callable[[int], Image]


def drawn(thickness: int, side: int = 300) -> Image:
    """A 3 of two arcs, ink dark."""
    page = np.full((side, side), 240, np.uint8)
    unit = side // 10
    cv2.ellipse(page, (5 * unit, 3 * unit), (2 * unit, int(1.5 * unit)), 0, -150, 90, 20, thickness)
    cv2.ellipse(page, (5 * unit, 6 * unit), (2 * unit, int(1.5 * unit)), 0, -90, 150, 20, thickness)
    return page


def width_in_box(image: Image) -> float:
    """Width of the strokes of a prepared image, in pixels of its 20x20 box."""
    large = cv2.resize(image, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    return stroke_width(cv2.threshold(large, 127, 255, cv2.THRESH_BINARY)[1]) / 6


@pytest.mark.parametrize("side", [12, 16])
def test_a_digit_drawn_small_within_28x28_is_brought_into_form(side: int, digits: Digits, predictor: Predictor) -> None:
    images = []
    for image in digits.images[:100]:
        small = np.zeros((SIDE, SIDE), np.uint8)
        small[3 : 3 + side, 5 : 5 + side] = cv2.resize(image[4:24, 4:24], (side, side), interpolation=cv2.INTER_AREA)
        images.append(prepare(small))
        assert max(cv2.boundingRect(images[-1])[2:]) >= INK_SIDE - 2
    assert np.mean(predictor(np.stack(images)).labels == digits.labels[:100]) >= 0.94


def test_a_digit_off_the_middle_of_28x28_is_moved_there(digits: Digits) -> None:
    shifted = np.roll(digits.images[0], (3, -3), (0, 1))
    assert not in_mnist_form(shifted)
    assert in_mnist_form(prepare(shifted))


@pytest.mark.parametrize("thickness", [2, 6])
def test_hairlines_come_out_as_wide_as_strokes_of_mnist(thickness: int) -> None:
    assert 1.6 <= width_in_box(prepare(drawn(thickness))) <= THICKEST


def cropped(page: Image) -> Sheet:
    """A sheet cut to the box of its ink."""
    sheet = Sheet(page)
    for step in (*FIND, crop):
        step(sheet)
    return sheet


def share_of_side(sheet: Sheet) -> float:
    """Width of a sheet's strokes, as a share of its longer side."""
    return stroke_width(inked(sheet)) / max(sheet.pixels.shape)


def test_fat_strokes_come_out_thinner() -> None:
    sheet = cropped(drawn(75))
    before = share_of_side(sheet)
    even_stroke(sheet)
    assert share_of_side(sheet) < 0.9 * before


def test_strokes_as_wide_as_those_of_mnist_are_left_alone() -> None:
    sheet = cropped(drawn(34))
    pixels = sheet.pixels
    assert THINNEST < share_of_side(sheet) * INK_SIDE < THICKEST
    even_stroke(sheet)
    assert sheet.pixels is pixels


@pytest.mark.parametrize("thickness", [3, 9, 20])
def test_the_width_of_a_stroke_is_measured(thickness: int) -> None:
    ink = np.zeros((100, 300), np.uint8)
    ink[40 : 40 + thickness, 20:280] = 255
    assert abs(stroke_width(ink) - thickness) <= 1.5


def test_ink_too_faint_to_be_trusted_is_rejected_as_such(scan: Scan) -> None:
    with pytest.raises(ImageRejected) as rejected:
        prepare((230 - (230 - scan(0)) // 20).astype(np.uint8))
    assert rejected.value.reason is Reason.LOW_CONTRAST


def test_pale_ink_is_read(scan: Scan, digits: Digits, predictor: Predictor) -> None:
    pale = np.stack([prepare((230 - (230 - scan(index)) // 8).astype(np.uint8)) for index in range(60)])
    assert np.mean(predictor(pale).labels == digits.labels[:60]) >= 0.97
