"""Reviewed images as lessons: prepared as for scoring, weighted, and never what measures."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest

from classifier.preprocess import prepare
from training.dataset import NO_DIGIT, Digits
from training.lessons import Lessons, prepare_lessons


def file_of(place: int) -> bytes:
    """A PNG with a stroke of its own."""
    page = np.zeros((40, 40), np.uint8)
    cv2.line(page, (8, 8 + place), (30, 30 - place), 255, 3)
    return cv2.imencode(".png", page)[1].tobytes()


@pytest.fixture
def lessons() -> Lessons:
    """Three strokes, the last of which is no digit, and a file that cannot be read."""
    files = [("0.png", file_of(0), 1), ("1.png", file_of(3), 7), ("2.png", file_of(6), NO_DIGIT), ("3.png", b"no", 4)]
    return prepare_lessons(files, max_pixels=10_000)


def test_images_are_prepared_as_for_scoring_and_named_by_their_bytes(lessons: Lessons) -> None:
    assert lessons.digits.labels.tolist() == [1, 7, NO_DIGIT]
    assert lessons.sha256 == tuple(hashlib.sha256(file_of(place)).hexdigest() for place in (0, 3, 6))
    seen = prepare(cv2.imdecode(np.frombuffer(file_of(3), np.uint8), cv2.IMREAD_GRAYSCALE))
    np.testing.assert_array_equal(lessons.digits.images[1], seen)
    (refused,) = lessons.refused
    assert refused.startswith("3.png: ")


def test_what_is_measured_is_not_learned_from(lessons: Lessons) -> None:
    measured = Digits(lessons.digits.images[1:2], np.array([3]))
    nothing = Digits(lessons.digits.images[:0], lessons.digits.labels[:0])
    left = lessons.without(nothing, measured)
    assert (left.digits.labels.tolist(), left.sha256) == ([1, NO_DIGIT], (lessons.sha256[0], lessons.sha256[2]))
    assert len(lessons.without(lessons.digits)) == 0


@pytest.mark.parametrize(("digits", "weight"), [(10_000, 10.0), (60, 5.0), (4, 1.0)])
def test_few_lessons_count_ten_times_and_many_do_not_drown_the_rest(
    lessons: Lessons, digits: int, weight: float
) -> None:
    assert lessons.weight(digits) == weight
