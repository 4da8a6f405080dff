"""Variation changes digits a little, by chance that can be repeated."""

from __future__ import annotations

import numpy as np

from training.augment import Variation, affine_matrices, augment
from training.dataset import Digits

STILL = Variation(rotation=0, shear=0, scale=0, shift=0, bend=0, bent=0)


def test_the_same_seed_varies_the_same_way(digits: Digits) -> None:
    images = digits.images[:50]
    first, again, other = (augment(images, np.random.default_rng(seed)) for seed in (3, 3, 4))
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


def test_the_digits_given_are_left_alone(digits: Digits) -> None:
    images = digits.images[:5].copy()
    augment(images, np.random.default_rng(3))
    assert np.array_equal(images, digits.images[:5])


def test_maps_turn_about_the_middle_of_the_image() -> None:
    maps = affine_matrices(100, np.random.default_rng(3), Variation(shift=0))
    middle = np.array([13.5, 13.5, 1.0])
    np.testing.assert_allclose(maps @ middle, np.full((100, 2), 13.5))


def test_no_digits_vary_into_none() -> None:
    assert augment(np.zeros((0, 28, 28), np.uint8), np.random.default_rng(3)).shape == (0, 28, 28)
