"""Corruptions spoil digits by chance that can be repeated, each in its own way and measure."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.preprocess import Image
from training.corruptions import CORRUPTIONS, corrupt
from training.dataset import Digits

EVERY = pytest.mark.parametrize("name", CORRUPTIONS)


@pytest.fixture(scope="module")
def images(digits: Digits) -> Image:
    """Sixty digits."""
    return digits.images[:60]


@EVERY
def test_the_same_seed_spoils_the_same_way_and_leaves_the_digits_given_alone(name: str, images: Image) -> None:
    before = images.copy()
    first, again = corrupt(images, name, 3), corrupt(images, name, 3)
    assert np.array_equal(first, again)
    assert np.array_equal(images, before)
    assert first.dtype == np.uint8
    assert first.shape == images.shape


@EVERY
def test_every_digit_is_changed_and_never_wiped_out(name: str, images: Image) -> None:
    for image, spoilt in zip(images, corrupt(images, name, 3), strict=True):
        assert not np.array_equal(image, spoilt)
        assert int(spoilt.max()) - int(spoilt.min()) >= 50


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"scale", "brightness", "stripe"}))
def test_another_seed_spoils_in_another_way(name: str, images: Image) -> None:
    assert not np.array_equal(corrupt(images, name, 3), corrupt(images, name, 4))


@EVERY
def test_paper_without_ink_and_a_page_all_ink_can_be_spoilt_too(name: str) -> None:
    pages = np.stack([np.zeros((28, 28), np.uint8), np.full((28, 28), 255, np.uint8)])
    assert corrupt(pages, name, 3).shape == pages.shape
    assert corrupt(pages[:0], name, 3).shape == (0, 28, 28)


def test_the_corruptions_are_those_of_the_measures() -> None:
    assert {"shear", "scale", "rotate", "translate", "shot_noise", "impulse_noise", "zigzag", "brightness"} <= set(
        CORRUPTIONS
    )
    assert {"stripe", "fog", "spatter", "dotted_line", "glass_blur", "motion_blur"} <= set(CORRUPTIONS)


def test_no_ink_leaves_the_image_by_a_shift(images: Image) -> None:
    shifted = corrupt(images, "translate", 3)
    assert np.array_equal(shifted.sum(axis=(1, 2)), images.sum(axis=(1, 2)))
    assert np.all((shifted > 0).sum(axis=(1, 2)) == (images > 0).sum(axis=(1, 2)))


def test_turning_is_by_thirty_degrees_either_way() -> None:
    line = np.zeros((1, 28, 28), np.uint8)
    line[0, 4:24, 13:15] = 255
    angles = set()
    for seed in range(20):
        rows, columns = np.nonzero(corrupt(line, "rotate", seed)[0] > 100)
        angles.add(round(np.rad2deg(np.arctan(np.polyfit(rows, columns, 1)[0])) / 5) * 5)
    assert angles == {-30, 30}


def test_impulses_hit_one_pixel_in_six_black_and_white_alike() -> None:
    grey = np.full((200, 28, 28), 100, np.uint8)
    noisy = corrupt(grey, "impulse_noise", 3)
    assert (noisy == 255).mean() == pytest.approx(0.085, abs=0.005)
    assert (noisy == 0).mean() == pytest.approx(0.085, abs=0.005)


def test_shots_keep_the_mean_and_leave_four_levels() -> None:
    noisy = corrupt(np.full((200, 28, 28), 51, np.uint8), "shot_noise", 3)
    assert set(np.unique(noisy).tolist()) == {0, 85, 170, 255}
    assert noisy.mean() == pytest.approx(51, abs=1)


def test_fog_leaves_a_quarter_of_the_contrast(images: Image) -> None:
    both = np.stack([images[0], np.zeros((28, 28), np.uint8)])
    # Alone in its array each digit meets the same fog.
    foggy, fog = (corrupt(both[place : place + 1], "fog", 3)[0].astype(np.int64) for place in (0, 1))
    np.testing.assert_allclose(foggy - fog, images[0] / 4, atol=1)


def test_an_unknown_corruption_is_missed_by_name(images: Image) -> None:
    with pytest.raises(KeyError, match="melt"):
        corrupt(images, "melt", 3)
