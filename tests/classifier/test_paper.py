"""Paper comes out even and ink bright, whatever the colour, the light and the noise; even paper is left as it is."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from classifier.light import even_light, find_ink, smooth
from classifier.paper import to_grey, turn, turn_bands
from classifier.predict import Predictor
from classifier.preprocess import FIND, Image, Sheet, prepare
from core.errors import ImageRejected
from core.vocabulary import Reason
from tests.classifier.lit import half_in_shadow, shaded
from tests.classifier.shares import share_read
from training.corruptions import stripe
from training.dataset import Digits

Scan = Callable[[int], Image]


def found(picture: Image) -> Sheet:
    """A sheet after the steps that every picture takes."""
    sheet = Sheet(picture)
    for step in FIND:
        step(sheet)
    return sheet


def read(alter: Callable[[Image], Image], scan: Scan, digits: Digits, predictor: Predictor) -> float:
    """Share of altered scans that are read right."""
    return share_read((alter(scan(index)) for index in range(60)), digits.labels, predictor)


def in_colours(paper: tuple[int, int, int], ink: tuple[int, int, int]) -> Callable[[Image], Image]:
    """Colours a scan, both BGR."""

    def colour(page: Image) -> Image:
        share = ((230 - page.astype(np.float32)) / 204)[..., np.newaxis].clip(0, 1)
        return (np.array(paper) * (1 - share) + np.array(ink) * share).astype(np.uint8)

    return colour


def beside_a_lamp(page: Image) -> Image:
    """A page whose light falls to a third from one side to the other."""
    return shaded(page, np.linspace(1, 0.33, page.shape[1]))


def small_beside_a_lamp(page: Image) -> Image:
    """A digit on a large page, whose light falls off from beyond a corner."""
    small = cv2.resize(page, (75, 75), interpolation=cv2.INTER_AREA)
    page = np.asarray(cv2.copyMakeBorder(small, 150, 475, 400, 225, cv2.BORDER_CONSTANT, value=230), np.uint8)
    down, across = np.ogrid[-1:1:700j, -1:1:700j]
    return shaded(page, 1 - 0.2 * np.hypot(down - 0.8, across + 1.1))


def under_a_finger(page: Image) -> Image:
    """A page beside whose digit lies the soft shadow of a finger, all of it in the shadow of a hand."""
    finger = np.zeros(page.shape, np.float32)
    cv2.line(finger, (199, 100), (165, 30), 1.0, 18)
    finger[120:] = np.maximum(finger[120:], np.linspace(0, 1, page.shape[1]) > 0.85)
    return shaded(page, 1 - 0.5 * cv2.GaussianBlur(finger, (0, 0), 4))


def on_a_screen(page: Image) -> Image:
    """A page crossed by the stripes that a camera sees on a screen."""
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]]
    return shaded(page, 0.8 + 0.2 * np.cos(2 * np.pi * (columns + 0.4 * rows) / 6))


def grainy(page: Image) -> Image:
    """A page of paper as grainy as a camera makes it in the dark."""
    noise = np.random.default_rng(3).normal(0, 30, page.shape)
    return np.clip(page * np.linspace(1, 0.6, page.shape[1]) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        pytest.param((250, 250, 250), (60, 60, 220), id="red"),
        pytest.param((180, 230, 180), (150, 160, 255), id="pink on green"),
    ],
)
def test_coloured_ink_stands_out_more_than_in_the_usual_grey(
    paper: tuple[int, int, int], ink: tuple[int, int, int], scan: Scan
) -> None:
    page = in_colours(paper, ink)(scan(0))
    sheet = Sheet(page)
    to_grey(sheet)
    usual = cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
    assert int(np.ptp(sheet.pixels)) > int(np.ptp(usual)) + 10


def test_a_grey_picture_in_three_channels_keeps_its_levels(scan: Scan) -> None:
    sheet = Sheet(cv2.cvtColor(scan(0), cv2.COLOR_GRAY2BGR))
    to_grey(sheet)
    assert np.array_equal(sheet.pixels, scan(0))


@pytest.mark.parametrize("ink", [pytest.param((200, 90, 60), id="blue"), pytest.param((60, 60, 220), id="red")])
def test_digits_in_coloured_ink_are_read(
    ink: tuple[int, int, int], scan: Scan, digits: Digits, predictor: Predictor
) -> None:
    assert read(in_colours((250, 250, 250), ink), scan, digits, predictor) >= 0.97


def test_dark_ink_is_turned_bright_and_bright_ink_is_not(scan: Scan) -> None:
    dark, bright = found(scan(0)), found(255 - scan(0))
    assert dark.turned
    assert not bright.turned
    assert np.array_equal(dark.pixels, bright.pixels)


@pytest.mark.parametrize("thickness", [1, 3, 8])
def test_a_frame_along_the_border_does_not_pass_for_paper(thickness: int, scan: Scan) -> None:
    page = scan(0)
    cv2.rectangle(page, (0, 0), (199, 199), 20, thickness)
    assert found(page).turned


def test_fat_ink_that_fills_a_tight_picture_does_not_pass_for_paper() -> None:
    page = np.full((120, 90), 240, np.uint8)
    cv2.ellipse(page, (44, 60), (30, 44), 0, 0, 360, 20, 28)
    assert found(page).turned


def test_a_striped_picture_comes_out_as_the_digit_itself(digits: Digits) -> None:
    random = np.random.default_rng(3)
    same = [np.array_equal(prepare(stripe(image, random)), image) for image in digits.images[:200]]
    assert np.mean(same) >= 0.9


def test_shadows_are_not_turned_as_bands(scan: Scan) -> None:
    sheet = Sheet(half_in_shadow(scan(0)))
    turn(sheet)
    before = sheet.pixels.copy()
    turn_bands(sheet)
    assert np.array_equal(sheet.pixels, before)


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(half_in_shadow, id="half in shadow"),
        pytest.param(beside_a_lamp, id="beside a lamp"),
        pytest.param(small_beside_a_lamp, id="small, beside a lamp"),
        pytest.param(grainy, id="grainy"),
        pytest.param(under_a_finger, id="under a finger"),
        pytest.param(on_a_screen, id="on a screen"),
    ],
)
def test_digits_in_uneven_light_and_noise_are_read(
    alter: Callable[[Image], Image], scan: Scan, digits: Digits, predictor: Predictor
) -> None:
    assert read(alter, scan, digits, predictor) >= 0.93


def test_of_a_shadow_that_joins_a_stroke_the_stroke_alone_is_ink() -> None:
    page = np.full((200, 240), 225, np.float32)
    shade = np.zeros_like(page)
    cv2.line(shade, (239, 160), (110, 90), 1, 26)
    page *= 1 - 0.5 * cv2.GaussianBlur(shade, (0, 0), 5)
    stroke = np.zeros(page.shape, np.uint8)
    cv2.line(stroke, (120, 30), (105, 170), 255, 12)
    page[stroke > 0] *= 0.12
    sheet = found(np.clip(page + np.random.default_rng(3).normal(0, 1.5, page.shape), 0, 255).astype(np.uint8))
    sheet.troubled = True
    find_ink(sheet)
    assert sheet.ink is not None
    assert cv2.boundingRect(sheet.ink)[2] <= 45


def test_squares_at_the_border_are_no_shadow(scan: Scan) -> None:
    page = scan(0)
    for at in range(10, 200, 30):
        page[at] = np.minimum(page[at], 180)
        page[:, at] = np.minimum(page[:, at], 180)
    sheet = found(page)
    even_light(sheet)
    assert not sheet.troubled


def test_uneven_light_is_taken_out_of_the_paper(scan: Scan) -> None:
    sheet = found(beside_a_lamp(scan(0)))
    even_light(sheet)
    assert sheet.troubled
    assert np.percentile(sheet.pixels, 75) <= 30


def test_even_paper_is_neither_evened_nor_smoothed_nor_searched_anew(scan: Scan) -> None:
    sheet = found(scan(0))
    pixels, ink = sheet.pixels, sheet.ink
    for step in (turn_bands, even_light, smooth, find_ink):
        step(sheet)
    assert not sheet.troubled
    assert sheet.pixels is pixels
    assert sheet.ink is ink


def test_noise_is_smoothed_and_quiet_paper_is_not(scan: Scan) -> None:
    noisy, quiet = found(grainy(scan(0))), found(beside_a_lamp(scan(0)))
    for sheet in (noisy, quiet):
        even_light(sheet)
    before_noisy, before_quiet = noisy.pixels.copy(), quiet.pixels.copy()
    smooth(noisy)
    smooth(quiet)
    assert noisy.pixels.std() < before_noisy.std()
    assert np.array_equal(quiet.pixels, before_quiet)


@pytest.mark.parametrize("darken", [beside_a_lamp, half_in_shadow])
@pytest.mark.parametrize("grain", [2, 5])
def test_paper_without_ink_in_uneven_light_is_blank(darken: Callable[[Image], Image], grain: int) -> None:
    paper = np.random.default_rng(3).normal(220, grain, (200, 240))
    with pytest.raises(ImageRejected) as rejected:
        prepare(darken(np.clip(paper, 0, 255).astype(np.uint8)))
    assert rejected.value.reason is Reason.BLANK


def test_turning_comes_before_the_steps_that_need_its_ink() -> None:
    with pytest.raises(ValueError, match="turn comes first"):
        even_light(Sheet(np.zeros((30, 30), np.uint8)))
    sheet = Sheet(np.zeros((30, 30), np.uint8))
    with pytest.raises(ImageRejected):
        turn(sheet)
