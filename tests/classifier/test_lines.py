"""Printed lines go, the strokes that cross them stay, and so do a digit's own straight strokes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from classifier.lines import erase_lines
from classifier.predict import Predictor
from classifier.preprocess import FIND, Image, Sheet, prepare
from classifier.straight import opened
from core.errors import ImageRejected
from core.vocabulary import Reason
from tests.classifier.shares import share_read
from training.dataset import Digits

Scan = Callable[[int], Image]


def ruled(page: Image) -> Image:
    """Lines as dark as ink, a little askew."""
    for row in range(25, page.shape[0], 40):
        cv2.line(page, (0, row), (page.shape[1] - 1, row + 4), 60, 2, cv2.LINE_AA)
    return page


def squared(page: Image) -> Image:
    """Squares as dark as ink."""
    for at in range(20, page.shape[0], 40):
        cv2.line(page, (0, at), (page.shape[1] - 1, at), 60, 1)
        cv2.line(page, (at, 0), (at, page.shape[0] - 1), 60, 1)
    return page


def boxed(page: Image) -> Image:
    """A box that stands free."""
    cv2.rectangle(page, (14, 8), (186, 190), 40, 2)
    return page


def framed(page: Image) -> Image:
    """A box whose sides are the picture's border."""
    cv2.rectangle(page, (0, 0), (page.shape[1] - 1, page.shape[0] - 1), 40, 3)
    return page


def dotted(page: Image) -> Image:
    """A box of dots that stands free."""
    for at in range(10, 188, 8):
        for x, y in ((at, 10), (at, 186), (10, at), (186, at)):
            cv2.rectangle(page, (x, y), (x + 4, y + 4), 40, -1)
    return page


PRINTED = [pytest.param(print_on, id=print_on.__name__) for print_on in (ruled, squared, boxed, framed, dotted)]


def after_lines(page: Image) -> Sheet:
    """A sheet off which lines were taken."""
    sheet = Sheet(page)
    for step in FIND:
        step(sheet)
    erase_lines(sheet)
    return sheet


@pytest.mark.parametrize("print_on", PRINTED)
def test_digits_on_printed_lines_are_read(
    print_on: Callable[[Image], Image], scan: Scan, digits: Digits, predictor: Predictor
) -> None:
    assert share_read((print_on(scan(index)) for index in range(60)), digits.labels, predictor) >= 0.93


@pytest.mark.parametrize("print_on", PRINTED)
def test_printed_lines_without_a_digit_are_blank(print_on: Callable[[Image], Image]) -> None:
    with pytest.raises(ImageRejected) as rejected:
        prepare(print_on(np.full((200, 200), 230, np.uint8)))
    assert rejected.value.reason is Reason.BLANK


def test_a_stroke_that_crosses_a_line_stays_whole() -> None:
    page = np.full((200, 200), 230, np.uint8)
    cv2.line(page, (100, 40), (100, 160), 30, 9)
    alone = after_lines(page.copy()).ink
    cv2.line(page, (0, 90), (199, 90), 30, 2)
    assert alone is not None
    assert np.array_equal(after_lines(page).ink, alone)


def test_a_stroke_along_a_paler_line_stays() -> None:
    page = squared(np.full((200, 200), 230, np.uint8))
    page[page < 230] = 160
    cv2.line(page, (55, 100), (145, 100), 30, 2)
    ink = after_lines(page).ink
    assert ink is not None
    assert cv2.boundingRect(ink)[2] >= 88


def test_a_thick_stroke_along_the_side_of_a_box_stays() -> None:
    page = boxed(np.full((200, 200), 230, np.uint8))
    cv2.line(page, (50, 10), (130, 10), 40, 6)
    cv2.line(page, (130, 10), (90, 150), 40, 6)
    ink = after_lines(page).ink
    assert ink is not None
    assert 75 <= cv2.boundingRect(ink)[2] <= 100


@pytest.mark.parametrize("thickness", [2, 10])
@pytest.mark.parametrize(
    "corners",
    [
        pytest.param([[[100, 30], [100, 170]]], id="1"),
        pytest.param([[[50, 30], [150, 30], [90, 170]]], id="7"),
        pytest.param([[[80, 30], [50, 120], [150, 120]], [[120, 80], [120, 170]]], id="4"),
    ],
)
def test_the_straight_strokes_of_a_digit_are_no_lines(corners: list[list[list[int]]], thickness: int) -> None:
    page = np.full((200, 200), 230, np.uint8)
    cv2.polylines(page, [np.array(stroke, np.int32) for stroke in corners], False, 30, thickness)
    sheet = after_lines(page)
    assert sheet.lines is None
    assert sheet.ink is not None
    assert cv2.countNonZero(sheet.ink) == cv2.countNonZero(cv2.compare(page, 130, cv2.CMP_LT))


def test_a_page_without_lines_is_left_as_it_is(scan: Scan) -> None:
    for index in range(50):
        assert after_lines(scan(index)).lines is None


@pytest.mark.parametrize("thickness", [1, 3])
def test_a_hairline_one_from_edge_to_edge_is_read(thickness: int, predictor: Predictor) -> None:
    page = np.full((200, 120), 230, np.uint8)
    cv2.line(page, (64, 0), (56, 199), 30, thickness)
    assert predictor(prepare(page)[np.newaxis]).labels.tolist() == [1]


def test_the_teeth_of_a_comb_go_and_the_digit_between_them_stays(
    scan: Scan, digits: Digits, predictor: Predictor
) -> None:
    def combed(page: Image) -> Image:
        cv2.line(page, (0, 182), (199, 182), 60, 2)
        for tooth in (12, 190):
            cv2.line(page, (tooth, 130), (tooth, 182), 60, 2)
        return page

    assert share_read((combed(scan(index)) for index in range(60)), digits.labels, predictor) >= 0.93


def test_a_digit_that_hangs_on_a_box_is_read(scan: Scan, digits: Digits, predictor: Predictor) -> None:
    def touched(page: Image) -> Image:
        x, y, width, height = cv2.boundingRect(cv2.compare(page, 130, cv2.CMP_LT))
        page = cv2.copyMakeBorder(page, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
        left, top = 60 + x + 3, 60 + y + 3
        cv2.rectangle(page, (left, top), (left + width + 20, top + height + 20), 60, 3)
        return np.asarray(page)

    assert share_read((touched(scan(index)) for index in range(60)), digits.labels, predictor) >= 0.85


def test_the_pores_of_a_pencil_are_no_lines(scan: Scan) -> None:
    for index in range(20):
        page = scan(index)
        pores = np.random.default_rng(index).random(page.shape) < 0.25
        page[pores] = 230
        assert after_lines(page).lines is None


def test_a_box_of_even_size_moves_nothing_by_a_pixel() -> None:
    ink = np.zeros((8, 20), np.uint8)
    ink[3, 4:8] = 255
    assert np.array_equal(opened(ink, (4, 1)), ink)
