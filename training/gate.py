"""Whether a model reads any digit worse than another one, beyond what chance alone makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from core.vocabulary import DIGITS

#: Probability with which a model that is no worse is refused all the same, by chance, whatever number of sets there is.
ALPHA = 0.05

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trial:
    """What two models say of the same images of one evaluation set."""

    #: Name of the set.
    name: str
    #: int64, (n,), all three.
    true: Labels
    production: Labels
    candidate: Labels


@dataclass(frozen=True, slots=True)
class Check:
    """How a candidate reads one digit of one set, or all of them together, beside the model in production."""

    #: Name of the set.
    name: str
    #: None: all digits together.
    digit: int | None
    #: Images that show the digit.
    images: int
    #: Of these, those that only the candidate reads right, and those that only the model in production does.
    gained: int
    lost: int
    #: Probability of so many losses among gains and losses, were both as likely.
    p_value: float
    #: True where that probability is too small for chance.
    worse: bool

    def as_dict(self) -> dict[str, object]:
        """The check as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Shortage:
    """A digit of which a set holds so few images that no check of it could refuse a model."""

    #: Name of the set; None: no set holds the digit.
    name: str | None
    digit: int
    images: int
    #: Images that a check needs.
    needed: int


def check_classes(trials: Sequence[Trial]) -> list[Check]:
    """Check every digit of every set, by an exact one-sided McNemar test (McNemar 1947).

    Of the images of a digit only those count that one model reads right and the other does not. Were the candidate
    as good, each would be as likely a gain as a loss. So that many digits and sets together refuse a model that is no
    worse no oftener than with half of `ALPHA`, each test gets its share of that half (Bonferroni); the other half is
    that of `check_sets`, so both kinds together stay within `ALPHA`.

    Args:
        trials: one for each set.

    Returns:
        A check for each digit that a set holds, in the order of sets and digits.

    Raises:
        ValueError: a trial has not as many labels of each kind.
    """
    _refuse_uneven(trials)
    pairs = [(trial, int(digit)) for trial in trials for digit in np.unique(trial.true)]
    return [_check(trial, digit, _level(len(pairs))) for trial, digit in pairs]


def check_sets(trials: Sequence[Trial]) -> list[Check]:
    """Check every set as a whole, by the same test: small losses of many digits, none of them beyond chance, add up.

    All sets together get the half of `ALPHA` that `check_classes` leaves.

    Args:
        trials: one for each set.

    Returns:
        A check for each set that holds an image, in their order.

    Raises:
        ValueError: a trial has not as many labels of each kind.
    """
    _refuse_uneven(trials)
    held = [trial for trial in trials if len(trial.true)]
    return [_check(trial, None, _level(len(held))) for trial in held]


def shortages(sets: Sequence[tuple[str, Labels]]) -> list[Shortage]:
    """Find the digits that could get worse without `check_classes` ever refusing it.

    Of n images of a digit all may be lost and none gained, and no result is rarer by chance: its probability is 0.5^n.
    Where that is not below the level of a check, nothing is.

    Args:
        sets: name and true labels, int64 (n,), of each.

    Returns:
        By set and digit, then the digits that no set holds.
    """
    counts = [(name, np.bincount(true, minlength=DIGITS)) for name, true in sets]
    pairs = sum(int(np.count_nonzero(images)) for _, images in counts)
    level = _level(max(1, pairs))
    needed = next(images for images in count(1) if 0.5**images < level)
    few = [
        Shortage(name, digit, int(images[digit]), needed)
        for name, images in counts
        for digit in range(DIGITS)
        if 0 < images[digit] < needed
    ]
    absent = [digit for digit in range(DIGITS) if not any(images[digit] for _, images in counts)]
    return few + [Shortage(None, digit, 0, needed) for digit in absent]


def _level(tests: int) -> float:
    """Probability below which one of so many tests of a kind is beyond chance; there are two kinds."""
    return ALPHA / 2 / tests if tests else 0.0


def _refuse_uneven(trials: Sequence[Trial]) -> None:
    for trial in trials:
        if not len(trial.true) == len(trial.production) == len(trial.candidate):
            raise ValueError(f"{trial.name} has not as many labels of each kind.")


def _check(trial: Trial, digit: int | None, level: float) -> Check:
    shown = np.full(len(trial.true), True) if digit is None else trial.true == digit
    before, after = (labels[shown] == trial.true[shown] for labels in (trial.production, trial.candidate))
    gained, lost = int(np.sum(after & ~before)), int(np.sum(before & ~after))
    discordant = gained + lost
    p_value = float(binomtest(lost, discordant, alternative="greater").pvalue) if discordant else 1.0
    return Check(trial.name, digit, int(shown.sum()), gained, lost, p_value, worse=p_value < level)
