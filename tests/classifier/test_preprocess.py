"""Any picture of a digit comes out as MNIST would have it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from classifier.components import keep_digit
from classifier.form import centre, clear_paper, crop, fit, passes_unchanged
from classifier.paper import turn
from classifier.predict import Predictor
from classifier.preprocess import (
    CLEAN,
    FIND,
    FORM,
    INK_SIDE,
    NAMES,
    SIDE,
    Image,
    Sheet,
    centre_of_mass,
    explain,
    in_mnist_form,
    prepare,
    to_network_input,
)
from core.errors import ImageRejected
from core.vocabulary import Reason
from training.corruptions import CORRUPTIONS
from training.dataset import Digits


def test_digits_in_mnist_form_pass_unchanged(digits: Digits) -> None:
    assert np.mean([np.array_equal(prepare(image), image) for image in digits.images]) >= 0.999


def test_dark_digits_on_white_come_out_as_the_digit_itself(digits: Digits) -> None:
    assert np.mean([np.array_equal(prepare(255 - image), image) for image in digits.images]) >= 0.999


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(lambda page: page, id="dark on light"),
        pytest.param(lambda page: 255 - page, id="light on dark"),
        pytest.param(lambda page: cv2.cvtColor(page, cv2.COLOR_GRAY2BGR), id="colour"),
        pytest.param(lambda page: cv2.resize(page, (1000, 1000), interpolation=cv2.INTER_CUBIC), id="large"),
        pytest.param(lambda page: cv2.resize(page, (40, 40), interpolation=cv2.INTER_AREA), id="small"),
        pytest.param(lambda page: cv2.copyMakeBorder(page, 0, 0, 0, 400, cv2.BORDER_REPLICATE), id="wide page"),
        pytest.param(lambda page: page // 3 + 90, id="pale ink on grey paper"),
        pytest.param(lambda page: cv2.GaussianBlur(page, (0, 0), 3), id="blurred"),
        pytest.param(
            lambda page: cv2.add(page, np.random.default_rng(3).integers(0, 25, page.shape, np.uint8)), id="grainy"
        ),
    ],
)
def test_a_scan_is_read_as_the_digit_it_shows(
    alter: Callable[[Image], Image], scan: Callable[[int], Image], digits: Digits, predictor: Predictor
) -> None:
    prepared = np.stack([prepare(alter(scan(index))) for index in range(100)])
    assert np.mean(predictor(prepared).labels == digits.labels[:100]) >= 0.97


def test_the_ink_fills_twenty_by_twenty_and_is_centred_by_mass(scan: Callable[[int], Image]) -> None:
    for index in range(50):
        prepared = prepare(scan(index))
        _, _, width, height = cv2.boundingRect(prepared)
        x, y = centre_of_mass(prepared)
        assert INK_SIDE - 2 <= max(width, height) <= INK_SIDE
        assert abs(x - 14) <= 1
        assert abs(y - 14) <= 1


def test_preparing_twice_changes_nothing_more(scan: Callable[[int], Image]) -> None:
    for index in range(50):
        once = prepare(scan(index))
        assert np.array_equal(prepare(once), once)


def test_the_picture_given_is_left_as_it_was(scan: Callable[[int], Image]) -> None:
    page = scan(0)
    before = page.copy()
    prepare(page)
    assert np.array_equal(page, before)


def test_a_single_speck_does_not_shrink_the_digit(scan: Callable[[int], Image]) -> None:
    page = scan(7)
    dirty = page.copy()
    dirty[3, 196] = 0
    assert np.array_equal(prepare(dirty), prepare(page))


def test_a_line_of_one_pixel_is_ink_and_no_speck() -> None:
    page = np.full((200, 200), 255, np.uint8)
    page[40:160, 100] = 0
    assert prepare(page).max() > 200


@pytest.mark.parametrize("side", [100, 400, 1500])
@pytest.mark.parametrize("thickness", [1, 4])
def test_a_thin_pen_on_a_large_page_is_read(side: int, thickness: int, predictor: Predictor) -> None:
    zero, one, seven = (np.full((side, side), 255, np.uint8) for _ in range(3))
    cv2.ellipse(zero, (side // 2, side // 2), (side // 5, side // 3), 0, 0, 360, 0, thickness)
    cv2.line(one, (side // 2, side // 5), (side // 2, side - side // 5), 0, thickness)
    corners = np.array([[0.3, 0.2], [0.7, 0.2], [0.42, 0.85]]) * side
    cv2.polylines(seven, [corners.astype(np.int32)], False, 0, thickness)
    assert predictor(np.stack([prepare(page) for page in (zero, one, seven)])).labels.tolist() == [0, 1, 7]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(np.zeros((28, 28), np.uint8), id="black"),
        pytest.param(np.full((200, 300, 3), 255, np.uint8), id="white"),
        pytest.param(np.full((1, 1), 9, np.uint8), id="one pixel"),
        pytest.param(np.random.default_rng(3).integers(200, 220, (100, 100), np.uint8), id="grain"),
        pytest.param(np.random.default_rng(3).normal(200, 6, (100, 100)).astype(np.uint8), id="coarse grain"),
        pytest.param(np.pad(np.full((2, 2), 255, np.uint8), 20), id="speck"),
    ],
)
def test_a_page_without_ink_is_rejected_as_blank(page: Image) -> None:
    with pytest.raises(ImageRejected) as rejected:
        prepare(page)
    assert rejected.value.reason is Reason.BLANK


@pytest.mark.parametrize("lying", [True, False])
def test_a_thin_strip_whose_ink_fades_when_it_is_scaled_is_blank(lying: bool) -> None:
    strip = np.full((2, 3000), 255, np.uint8)
    strip[1, ::428] = 200
    with pytest.raises(ImageRejected) as rejected:
        prepare(strip if lying else np.ascontiguousarray(strip.T))
    assert rejected.value.reason is Reason.BLANK


def odd_picture(random: np.random.Generator) -> Image:
    """A picture of any shape, long and thin ones among them, with noise, dots, a block or a gradient on it."""
    sides = random.choice([1, 2, 3, 28, 41, 1000, 40_000]), random.choice([1, 2, 5, 28, 64])
    shape = tuple(random.permutation(sides))
    page = np.full(shape, random.integers(256), np.uint8)
    ink = random.integers(256)
    match random.integers(4):
        case 0:
            page = random.integers(0, 256, shape, np.uint8)
        case 1:
            page.reshape(-1)[:: random.integers(1, 1000)] = ink
        case 2:
            page[random.random(shape) < random.random() ** 4] = ink
        case _:
            page[: random.integers(1, shape[0] + 1), : random.integers(1, shape[1] + 1)] = ink
    return page if random.random() < 0.7 else np.dstack([page] * 3)


def test_whatever_the_picture_it_comes_out_as_a_digit_or_is_rejected() -> None:
    random = np.random.default_rng(3)
    prepared = rejected = 0
    for _ in range(1000):
        picture = odd_picture(random)
        try:
            digit = prepare(picture)
        except ImageRejected:
            rejected += 1
        else:
            assert (digit.shape, digit.dtype) == ((28, 28), np.uint8)
            prepared += 1
    assert min(prepared, rejected) > 50


def test_explaining_shows_the_steps_that_had_an_effect_and_ends_with_the_prepared_image(
    scan: Callable[[int], Image],
) -> None:
    explanation = explain(scan(3))
    names = [name for name, _ in explanation.steps]
    assert names[0] == "original"
    assert names[1:] == [NAMES[step] for step in (turn, crop, fit, clear_paper, centre)]
    assert explanation.prepared is not None
    assert explanation.rejection is None
    assert np.array_equal(explanation.steps[-1][1], explanation.prepared)
    assert np.array_equal(explanation.prepared, prepare(scan(3)))


def test_explaining_a_digit_in_mnist_form_shows_no_step(digits: Digits) -> None:
    explanation = explain(digits.images[0])
    assert [name for name, _ in explanation.steps] == ["original"]
    assert np.array_equal(explanation.prepared, digits.images[0])


def test_explaining_a_rejected_picture_shows_the_steps_so_far_and_why(scan: Callable[[int], Image]) -> None:
    explanation = explain(np.hstack([scan(0), scan(1)]))
    assert explanation.prepared is None
    assert explanation.rejection is not None
    assert explanation.rejection.reason is Reason.SEVERAL
    assert "2 digits" in str(explanation.rejection)
    assert [name for name, _ in explanation.steps] == ["original", NAMES[turn]]


def test_every_step_has_a_name_of_its_own() -> None:
    assert set(NAMES) == {*FIND, *CLEAN, keep_digit, *FORM}
    assert len(set(NAMES.values())) == len(NAMES)


def test_network_input_runs_from_zero_to_one() -> None:
    images = np.array([0, 128, 255], np.uint8).repeat(784).reshape(3, 28, 28)
    values = to_network_input(images)
    assert values.dtype == np.float32
    assert values.shape == (3, 28, 28, 1)
    np.testing.assert_allclose(values[:, 0, 0, 0], [0, 128 / 255, 1], rtol=1e-6)


def test_salt_and_pepper_is_taken_off_before_strokes_are_measured(digits: Digits, predictor: Predictor) -> None:
    soiled = [CORRUPTIONS["impulse_noise"](image, np.random.default_rng(3)) for image in digits.images[:100]]
    labels = predictor(np.stack([prepare(image) for image in soiled])).labels
    assert (labels == digits.labels[:100]).mean() >= 0.85


def test_a_thin_stroke_is_no_pepper() -> None:
    page = np.full((120, 120), 230, np.uint8)
    cv2.line(page, (40, 20), (80, 100), 20, 1)
    assert "salt and pepper taken off" not in [name for name, _ in explain(page).steps]


def test_a_picture_as_small_as_mnists_holds_one_digit_however_broken() -> None:
    four = np.zeros((28, 28), np.uint8)
    four[6:18, 6:8] = 255
    four[6:24, 18:20] = 255  # the bar between them is gone
    small, large = prepare(four), np.asarray(cv2.resize(four, (224, 224), interpolation=cv2.INTER_LINEAR))
    assert small[:, :12].any()
    assert small[:, 16:].any()
    with pytest.raises(ImageRejected) as caught:
        prepare(large)
    assert caught.value.reason is Reason.SEVERAL


def test_what_is_passed_without_taking_the_steps_is_what_they_would_leave_as_it_is() -> None:
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(2000):
        picture = np.zeros((SIDE, SIDE), np.uint8)
        left, top = rng.integers(3, 9, 2)
        width, height = rng.integers(18, 21, 2)
        level, share = rng.choice([5, 7, 60, 255]), rng.choice([0.2, 0.6, 1.0])
        picture[top : top + height, left : left + width] = level * (rng.random((height, width)) < share)
        if passes_unchanged(picture):
            passed += 1
            sheet = Sheet(picture.copy())
            for step in FIND:
                step(sheet)
            assert np.array_equal(sheet.pixels, picture)
            assert in_mnist_form(sheet.pixels)
    assert passed > 40
