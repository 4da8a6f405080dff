"""Variation changes digits a little, by chance that can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.preprocess import centre_of_mass
from training.augment import Variation, augment, change_stroke, damage, maps
from training.corruptions import CORRUPTIONS
from training.dataset import Digits

STILL = Variation(rotation=0, shear=0, scale=0, shift=0, bend=0, bent=0)
EVERYTHING = Variation(stroke=1, noise=1, erase=1, corrupt=1, corruptions=tuple(CORRUPTIONS))


def test_the_same_seed_varies_the_same_way(digits: Digits) -> None:
    images = digits.images[:50]
    first, again, other = (augment(images, np.random.default_rng(seed), EVERYTHING) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_variation_leaves_digits_as_they_are(digits: Digits) -> None:
    images = digits.images[:50]
    assert np.array_equal(augment(images, np.random.default_rng(3), STILL), images)


def test_bending_alone_moves_ink_and_keeps_most_of_it(digits: Digits) -> None:
    images = digits.images[:50]
    bent = augment(images, np.random.default_rng(3), Variation(0, 0, 0, 0, bend=0.7, bent=1))
    assert not np.array_equal(bent, images)
    assert 0.9 < bent.sum() / images.sum() < 1.1


@pytest.mark.parametrize("kind", ["stroke", "noise", "erase"])
def test_every_other_kind_of_variation_changes_nearly_every_digit_it_happens_to(digits: Digits, kind: str) -> None:
    images = digits.images[:50]
    varied = augment(images, np.random.default_rng(3), Variation(0, 0, 0, 0, 0, 0, **{kind: 1.0}))
    assert (varied != images).any(axis=(1, 2)).mean() > 0.8
    assert np.abs(varied.astype(int) - images).mean() < 40


def test_strokes_become_thicker_and_thinner(digits: Digits) -> None:
    rng = np.random.default_rng(3)
    changes = [int(change_stroke(image, rng).sum()) - int(image.sum()) for image in digits.images[:50]]
    assert min(changes) < 0 < max(changes)


def test_a_damaged_digit_comes_back_in_the_form_that_scoring_sees(digits: Digits) -> None:
    shifted = damage(digits.images[0], np.random.default_rng(3), ("translate",))
    x, y = centre_of_mass(shifted)
    assert (x, y) == (pytest.approx(14, abs=0.6), pytest.approx(14, abs=0.6))


def test_the_digits_given_are_left_alone(digits: Digits) -> None:
    images = digits.images[:5].copy()
    augment(images, np.random.default_rng(3), EVERYTHING)
    assert np.array_equal(images, digits.images[:5])


def test_maps_turn_about_the_middle_of_the_image() -> None:
    columns, rows = maps(100, np.random.default_rng(3), Variation(shift=0, bent=0))
    for found in (columns, rows):
        np.testing.assert_allclose(found[:, 13:15, 13:15].mean(axis=(1, 2)), np.full(100, 13.5), atol=1e-4)


def test_no_digits_vary_into_none() -> None:
    assert augment(np.zeros((0, 28, 28), np.uint8), np.random.default_rng(3)).shape == (0, 28, 28)
