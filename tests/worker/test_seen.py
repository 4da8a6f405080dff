"""What files hold comes in parts that a model takes at once, and no picture is cut in two."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from classifier.preprocess import Image
from core.errors import ImageRejected
from core.vocabulary import Reason
from worker.seen import PICTURES_FAULT, Seen


def seen_with(*pictures: list[list[int]]) -> Seen:
    """Pictures whose pieces may be read in ways of so many digits; the digits are numbered through."""
    seen, numbers = Seen(), count()
    for position, pieces in enumerate(pictures):
        ways = [[[_digit(next(numbers)) for _ in range(length)] for length in piece] for piece in pieces]
        seen.add(position, b"", ways)
    return seen


def _digit(number: int) -> Image:
    return np.full((28, 28), number, np.uint8)


def test_every_digit_comes_once_and_no_picture_is_cut_in_two() -> None:
    pictures = [[[1]], [[1]], [[2], [1, 2]], [[1]], [[4, 4]], [[1]], [[1]]]
    seen = seen_with(*pictures)
    parts = [(digits[:, 0, 0].tolist(), ways) for digits, ways in seen.parts(6)]
    assert [ways for _, ways in parts] == [pictures[:2], pictures[2:4], pictures[4:5], pictures[5:]]
    assert [number for digits, _ in parts for number in digits] == list(range(18))
    assert seen.digits[:, 0, 0].tolist() == list(range(18))


def test_a_batch_of_single_digits_goes_through_the_model_at_once() -> None:
    ((digits, ways),) = seen_with(*[[[1]]] * 5).parts(5)
    assert (digits.shape, ways) == ((5, 28, 28), [[[1]]] * 5)


def test_where_no_image_holds_a_digit_there_is_no_part() -> None:
    seen = Seen()
    seen.refuse(0, "a.png", ImageRejected(Reason.EMPTY, "The file is empty."))
    assert (list(seen.parts(4)), seen.digits.shape, len(seen)) == ([], (0, 28, 28), 1)


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), MemoryError(), IndexError("out of range")])
def test_a_picture_that_breaks_an_assumption_is_unreadable_and_no_more(error: Exception) -> None:
    assert isinstance(error, PICTURES_FAULT)
    seen = Seen()
    seen.refuse(3, "a.png", error)
    assert seen.refusals[3].reason is Reason.UNREADABLE


def test_what_is_wrong_with_the_host_is_no_pictures_fault() -> None:
    assert not issubclass(OSError, PICTURES_FAULT)
