"""The gate: worse beyond chance is found, chance alone is borne."""

from __future__ import annotations

from itertools import accumulate
from math import comb

import numpy as np
import pytest

from training.gate import ALPHA, Shortage, Trial, check_classes, check_sets, shortages


def trial(digit: int = 4, images: int = 100, lost: int = 0, gained: int = 0, name: str = "mine") -> Trial:
    """A set of one digit, of which the candidate loses some images and gains others."""
    true = np.full(images, digit, np.int64)
    wrong = (digit + 1) % 10
    production, candidate = true.copy(), true.copy()
    candidate[:lost] = wrong
    production[lost : lost + gained] = wrong
    return Trial(name, true, production, candidate)


def all_digits(lost_of_four: int, images: int = 100) -> Trial:
    """A set of every digit, of which the candidate loses some fours."""
    parts = [trial(digit, images, lost_of_four if digit == 4 else 0) for digit in range(10)]
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("true", "production", "candidate"))
    return Trial("all", *columns)


def test_two_models_that_agree_are_as_good() -> None:
    (check,) = check_classes([trial()])
    assert (check.digit, check.images, check.gained, check.lost) == (4, 100, 0, 0)
    assert (check.p_value, check.worse) == (1.0, False)


@pytest.mark.parametrize(("lost", "gained"), [(5, 0), (9, 1), (3, 3), (40, 30)])
def test_the_probability_is_that_of_so_many_heads_or_more_of_a_fair_coin(lost: int, gained: int) -> None:
    (check,) = check_classes([trial(lost=lost, gained=gained)])
    tosses = lost + gained
    expected = sum(comb(tosses, heads) for heads in range(lost, tosses + 1)) / 2**tosses
    assert check.p_value == pytest.approx(expected)
    assert check.worse is (expected < ALPHA / 2)


def test_a_digit_that_got_better_is_never_worse() -> None:
    (check,) = check_classes([trial(gained=50)])
    assert (check.worse, check.gained) == (False, 50)


def test_of_ten_digits_each_gets_a_tenth_of_the_risk() -> None:
    # Six losses of six: 1/64, too rare for one digit at 0.025, and not for ten at 0.0025; nine: 1/512.
    assert [check.worse for check in check_classes([trial(lost=6)])] == [True]
    assert not any(check.worse for check in check_classes([all_digits(lost_of_four=6)]))
    assert [check.digit for check in check_classes([all_digits(lost_of_four=9)]) if check.worse] == [4]


def test_digits_that_a_set_does_not_hold_take_no_risk_and_no_place() -> None:
    checks = check_classes([trial(digit=1, lost=7), trial(digit=7, name="other")])
    assert [(check.name, check.digit) for check in checks] == [("mine", 1), ("other", 7)]
    assert [check.worse for check in checks] == [True, False]  # 1/128 under 0.025/2


def test_small_losses_of_every_digit_are_refused_together() -> None:
    parts = [trial(digit, 100, 1) for digit in range(10)]
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("true", "production", "candidate"))
    whole = Trial("all", *columns)
    assert not any(check.worse for check in check_classes([whole]))
    (check,) = check_sets([whole])
    assert (check.name, check.digit, check.images, check.gained, check.lost) == ("all", None, 1000, 0, 10)
    assert (check.p_value, check.worse) == (pytest.approx(0.5**10), True)


def test_sets_as_wholes_share_the_other_half_of_the_risk() -> None:
    assert [check.worse for check in check_sets([trial(lost=6)])] == [True]
    # 1/64 is under 0.025, and not under half of it; 1/128 is.
    for lost, worse in ((6, False), (7, True)):
        assert [check.worse for check in check_sets([trial(lost=lost), trial(name="other")])] == [worse, False]
    assert check_sets([]) == []


def test_a_digit_of_too_few_images_to_be_refused_is_short() -> None:
    labels = np.repeat(np.arange(10), 9)
    assert shortages([("mine", labels)]) == []  # 0.5^9 is below 0.025/10, and 0.5^8 is not
    assert shortages([("mine", labels[1:])]) == [Shortage("mine", 0, 8, 9)]
    assert shortages([("mine", np.repeat(np.arange(9), 9))]) == [Shortage(None, 9, 0, 9)]
    assert {short.needed for short in shortages([("mine", labels), ("other", labels)])} == {10}
    assert len(shortages([])) == 10


def test_what_is_not_short_can_be_refused_and_what_is_short_cannot() -> None:
    for images in (8, 9):
        lost = all_digits(lost_of_four=images, images=images)
        (check,) = [check for check in check_classes([lost]) if check.digit == 4]
        assert check.worse is not any(shortages([(lost.name, lost.true)]))


def test_a_loss_in_one_set_is_not_made_up_for_in_another() -> None:
    checks = check_classes([trial(lost=20), trial(gained=20, name="other")])
    assert [check.worse for check in checks] == [True, False]


def test_chance_alone_refuses_a_model_no_oftener_than_promised() -> None:
    draws = np.random.default_rng(3)
    refused = 0
    for _ in range(400):
        sizes = draws.integers(0, 30, 10)
        lost = draws.binomial(sizes, 0.5)
        parts = [
            trial(digit, 40, int(losses), int(size - losses))
            for digit, (size, losses) in enumerate(zip(sizes, lost, strict=True))
        ]
        refused += any(check.worse for check in (*check_classes(parts), *check_sets(parts)))
    # 400 times 0.05 are 20; more than 33 would come once in a thousand times.
    assert refused <= _most_likely(400, ALPHA)


def _most_likely(tries: int, risk: float) -> int:
    """The number of refusals that is exceeded once in a thousand times."""
    chances = (comb(tries, count) * risk**count * (1 - risk) ** (tries - count) for count in range(tries + 1))
    return next(count for count, together in enumerate(accumulate(chances)) if together > 0.999)


def test_sets_of_unequal_columns_are_refused_by_name() -> None:
    broken = Trial("mine", np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="mine has not as many labels"):
        check_classes([broken])
    with pytest.raises(ValueError, match="mine has not as many labels"):
        check_sets([broken])


def test_without_sets_there_is_nothing_to_check() -> None:
    assert check_classes([]) == []
