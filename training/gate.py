"""Whether a model reads any digit worse than another one, beyond what chance alone makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

#: Probability with which a model that is no worse is refused all the same, by chance.
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
class ClassCheck:
    """How a candidate reads one digit of one set beside the model in production."""

    #: Name of the set.
    name: str
    digit: int
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


def check_classes(trials: Sequence[Trial], *, alpha: float = ALPHA) -> list[ClassCheck]:
    """Check every digit of every set, by an exact one-sided McNemar test (McNemar 1947).

    Of the images of a digit only those count that one model reads right and the other does not. Were the candidate
    as good, each would be as likely a gain as a loss. So that many digits and sets together refuse a model that is no
    worse no oftener than `alpha`, each test gets its share of it (Bonferroni).

    Args:
        trials: one for each set.
        alpha: see above, 0 to 1.

    Returns:
        A check for each digit that a set holds, in the order of sets and digits.

    Raises:
        ValueError: a trial has not as many labels of each kind.
    """
    for trial in trials:
        if not len(trial.true) == len(trial.production) == len(trial.candidate):
            raise ValueError(f"{trial.name} has not as many labels of each kind.")
    pairs = [(trial, int(digit)) for trial in trials for digit in np.unique(trial.true)]
    return [_check(trial, digit, alpha / len(pairs)) for trial, digit in pairs]


def _check(trial: Trial, digit: int, level: float) -> ClassCheck:
    shown = trial.true == digit
    before, after = trial.production[shown] == digit, trial.candidate[shown] == digit
    gained, lost = int(np.sum(after & ~before)), int(np.sum(before & ~after))
    discordant = gained + lost
    p_value = float(binomtest(lost, discordant, alternative="greater").pvalue) if discordant else 1.0
    return ClassCheck(trial.name, digit, int(shown.sum()), gained, lost, p_value, worse=p_value < level)
