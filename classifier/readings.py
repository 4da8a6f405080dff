"""What a picture says: one digit, or, where it may be split, several digits read from left to right as one string."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

from classifier.artifact import Card
from classifier.judge import judge
from classifier.predict import Scores
from classifier.preprocess import Image, candidates, prepare
from core.errors import ImageRejected
from core.vocabulary import Digit, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Reading:
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
    places: range
    #: The digits of a string, from left to right; empty where one digit was read.
    digits: tuple[Digit, ...] = ()


def ways_to_read(picture: Image, *, split: bool) -> list[list[Image]]:
    """Prepare the digits of a picture, in every way in which they may lie.

    Args:
        picture: uint8, (height, width) grey or (height, width, 3) BGR.
        split: whether it may show several digits.

    Returns:
        Ways, the likeliest first, each of them digits from left to right, uint8, (28, 28), ink bright on 0. Without
        `split` there is one way, of one digit.

    Raises:
        ImageRejected: `blank`, `low_contrast`, or, without `split`, `several`.
    """
    if split:
        return candidates(picture)
    try:
        return [[prepare(picture)]]
    except ImageRejected as error:
        if error.reason is Reason.SEVERAL:
            raise ImageRejected(Reason.SEVERAL, f"{error} Read it with --split.") from error
        raise


def read(scores: Scores, ways: Sequence[Sequence[int]], card: Card, target_error: float) -> list[Reading]:
    """Read pictures off the scores of their digits.

    Args:
        scores: of all digits of all ways of all pictures, in this order.
        ways: of every picture, how many digits each of its ways has.
        card: the model's.
        target_error: share of wrong labels among the sure ones that is still borne, 0 to 1; of digits, not of strings.
    """
    every = list(
        zip(
            scores.labels.tolist(),
            scores.confidences.tolist(),
            scores.margins.tolist(),
            judge(scores, card, target_error),
            scores.escalated.tolist(),
            strict=True,
        )
    )
    ends = accumulate(chain.from_iterable(ways), initial=0)
    places = (range(start, end) for start, end in pairwise(ends))
    return [_likeliest([_reading(every, next(places)) for _ in lengths]) for lengths in ways]


def _likeliest(readings: Sequence[Reading]) -> Reading:
    """Choose among the ways to read a picture: the likeliest whole, and none with a part that is no digit if may be."""
    if len(readings) == 1:
        return readings[0]
    return max(readings, key=lambda reading: (reading.verdict is not Verdict.NOT_A_DIGIT, reading.confidence))


#: Label, confidence, margin, verdict and whether it was escalated, of one digit.
_Scored = tuple[int, float, float, Verdict, bool]


def _reading(every: Sequence[_Scored], places: range) -> Reading:
    if len(places) == 1:
        return Reading(*every[places[0]], places)
    parts = [every[place] for place in places]
    confidence = math.prod(part[1] for part in parts)
    return Reading(
        label="".join(str(part[0]) for part in parts),
        confidence=confidence,
        # The runner-up differs in one digit, the one whose runner-up comes nearest.
        margin=confidence * min(part[2] / part[1] for part in parts),
        verdict=_verdict({part[3] for part in parts}),
        escalated=any(part[4] for part in parts),
        places=places,
        digits=tuple(Digit(part[0], part[1]) for part in parts),
    )


def _verdict(verdicts: set[Verdict]) -> Verdict:
    """The verdict of a string: that of its most doubtful digit."""
    return next(verdict for verdict in _MOST_DOUBTFUL_FIRST if verdict in verdicts)


_MOST_DOUBTFUL_FIRST = (Verdict.NOT_A_DIGIT, Verdict.UNCERTAIN, Verdict.DIGIT)
