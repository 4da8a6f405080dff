"""What a picture says: one digit, or, where it may be split, several digits read from left to right as one string."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from classifier.artifact import Card
from classifier.judge import judge
from classifier.predict import Scores
from core.vocabulary import Digit, Verdict

#: By how much the mean energy of a way to read a piece of ink must be lower to be taken for every digit that it has
#: more than another, where the model knows what is like a digit; and by how much the logarithm of its confidence must be
#: higher where it does not.
FURTHER_ENERGY, FURTHER_CONFIDENCE = 1.0, 0.002


class Reading(NamedTuple):  # one for every image; a dataclass takes several times as long to make
    """What a model reads in a picture."""

    #: The digit, or the string.
    label: int | str
    #: Calibrated probability of `label`, 0 to 1; of a string, the product of its digits' confidences.
    confidence: float
    #: Calibrated probability of `label` less that of the runner-up, 0 to 1.
    margin: float
    #: Of a string, `digit` only where every one of its digits is.
    verdict: Verdict
    #: Whether the careful networks were asked about any of its digits.
    escalated: bool
    #: Where its digits stand among all that were scored.
    places: tuple[int, ...]
    #: The digits of a string, from left to right; empty where one digit was read.
    digits: tuple[Digit, ...] = ()


def read(scores: Scores, ways: Sequence[Sequence[Sequence[int]]], card: Card, target_error: float) -> list[Reading]:
    """Read pictures off the scores of their digits.

    Args:
        scores: of all digits of all ways of all pieces of all pictures, in this order.
        ways: of every picture, how many digits each way of each of its pieces has.
        card: the model's.
        target_error: share of wrong labels among the sure ones that is still borne, 0 to 1; of digits, not of strings.
    """
    alone = list(
        map(
            Reading,
            scores.labels.tolist(),
            scores.confidences.tolist(),
            scores.margins.tolist(),
            judge(scores, card, target_error),
            scores.escalated.tolist(),
            ((place,) for place in range(len(scores))),
        )
    )
    if len(alone) == len(ways):  # each picture shows one digit, which can be read in no other way
        return alone
    unlikely = _unlikely(scores, card)
    end = 0
    readings = []
    for pieces in ways:
        places: list[int] = []
        for counts in pieces:
            likeliest: range = min([range(end, end := end + count) for count in counts], key=unlikely)
            places += likeliest
        readings.append(alone[places[0]] if len(places) == 1 else _string([alone[place] for place in places]))
    return readings


def _unlikely(scores: Scores, card: Card) -> Callable[[range], float]:
    """Tell how unlikely a way to read a piece of ink is, from the places of its digits.

    A model that learned what is no digit tells by the mean energy whether the parts are digits at all; of any other the
    confidences must do, which are high for many a part of a digit.
    """
    if card.energy_limit is None:
        losses = -np.log(np.maximum(scores.confidences, np.finfo(np.float32).tiny))
        return lambda way: float(losses[way.start : way.stop].sum()) + FURTHER_CONFIDENCE * len(way)
    energies = scores.energies
    return lambda way: float(energies[way.start : way.stop].mean()) + FURTHER_ENERGY * len(way)


def _string(parts: Sequence[Reading]) -> Reading:
    confidence = math.prod(part.confidence for part in parts)
    return Reading(
        label="".join(str(part.label) for part in parts),
        confidence=confidence,
        # The runner-up differs in one digit, the one whose runner-up comes nearest.
        margin=confidence * min(part.margin / part.confidence for part in parts),
        verdict=_verdict({part.verdict for part in parts}),
        escalated=any(part.escalated for part in parts),
        places=tuple(part.places[0] for part in parts),
        digits=tuple(Digit(int(part.label), part.confidence) for part in parts),
    )


def _verdict(verdicts: set[Verdict]) -> Verdict:
    """The verdict of a string: that of its most doubtful digit."""
    return next(verdict for verdict in _MOST_DOUBTFUL_FIRST if verdict in verdicts)


_MOST_DOUBTFUL_FIRST = (Verdict.NOT_A_DIGIT, Verdict.UNCERTAIN, Verdict.DIGIT)
