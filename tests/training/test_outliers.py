"""What is drawn to be no digit is drawn again alike, looks like nothing else, and teaches doubt."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.preprocess import prepare
from training.batches import one_hot
from training.dataset import NO_DIGIT
from training.drawn import FORMS, drawn_digits
from training.letters import LETTERS, TWINS
from training.outliers import KINDS, outliers
from training.strokes import bend, read_ways


def fills_the_unit_box(strokes: str) -> bool:
    points = np.concatenate([corner for way in read_ways(strokes) for corner in way[:2]])
    return points.min() >= -0.1 and points.max() <= 1.2 and np.ptp(points, axis=0).max() > 0.6


def test_the_same_seed_draws_the_same_pictures_however_many_are_asked_for() -> None:
    few, many = outliers(5, seed=3), outliers(20, seed=3)
    np.testing.assert_array_equal(few.images, many.images[:5])
    assert not np.array_equal(few.images, outliers(5, seed=4).images)


def test_outliers_are_prepared_and_have_the_label_of_no_digit() -> None:
    found = outliers(50, seed=3)
    assert found.images.shape == (50, 28, 28)
    assert found.images.dtype == np.uint8
    assert set(found.labels.tolist()) == {NO_DIGIT}
    assert all(image.max() > 100 and image.any(axis=1).sum() <= 21 for image in found.images)


def test_no_two_outliers_are_alike() -> None:
    found = outliers(200, seed=3).images.reshape(200, -1)
    assert len(np.unique(found, axis=0)) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_leaves_ink_that_preparation_takes(kind: object) -> None:
    assert callable(kind)
    rng = np.random.default_rng(3)
    for _ in range(20):
        page = kind(rng)
        assert page.shape == (96, 96)
        assert (page > 128).sum() > 96
        assert not page[0].any()
        assert not page[:, -1].any()
    assert prepare(page).any()


def test_how_often_each_kind_is_drawn_adds_up_to_always() -> None:
    assert sum(KINDS.values()) == pytest.approx(1)


def test_no_letter_has_a_twin_among_the_digits() -> None:
    assert not TWINS & set(LETTERS)
    assert len(LETTERS) > 35


@pytest.mark.parametrize("letter", LETTERS)
def test_every_letter_lies_about_the_unit_box(letter: str) -> None:
    assert fills_the_unit_box(LETTERS[letter])


@pytest.mark.parametrize("label", range(10))
def test_every_digit_has_forms_that_lie_about_the_unit_box(label: int) -> None:
    assert len(FORMS[label]) >= 2
    assert all(map(fills_the_unit_box, FORMS[label]))


def test_drawn_digits_are_prepared_repeatable_and_evenly_spread() -> None:
    few, many = drawn_digits(20, seed=3), drawn_digits(50, seed=3)
    np.testing.assert_array_equal(few.images, many.images[:20])
    assert np.bincount(many.labels).tolist() == [5] * 10
    assert len(np.unique(many.images.reshape(50, -1), axis=0)) == 50
    assert not np.array_equal(few.images, drawn_digits(20, seed=4).images)


def test_a_smooth_curve_goes_through_its_points() -> None:
    points = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    curve = bend(points, steps=5)
    assert curve.shape == (11, 2)
    np.testing.assert_allclose(curve[::5], points)


def test_a_point_of_a_form_lies_anywhere_in_its_box() -> None:
    (way,) = read_ways("~-.2:.3,.5 1,0:.25")
    np.testing.assert_array_equal(way.low, [[-0.2, 0.5], [1, 0]])
    np.testing.assert_array_equal(way.high, [[0.3, 0.5], [1, 0.25]])
    assert way.smooth


def test_a_picture_that_is_no_digit_is_to_be_as_likely_each() -> None:
    targets = one_hot(np.array([7, NO_DIGIT]))
    assert targets[0].argmax() == 7
    assert targets[0].sum() == 1
    np.testing.assert_allclose(targets[1], 0.1)
