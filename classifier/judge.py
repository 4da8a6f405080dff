"""What a scored image is taken for."""

from __future__ import annotations

from classifier.artifact import Card
from classifier.predict import Scores
from core.vocabulary import Verdict


def judge(scores: Scores, card: Card, target_error: float) -> list[Verdict]:
    """Decide of every image whether it is a digit, an uncertain one, or none at all.

    Args:
        scores: what a model says.
        card: the model's.
        target_error: share of wrong labels among the sure ones that is still borne, 0 to 1.

    Returns:
        `not_a_digit` where the energy is above the card's limit, `uncertain` where the confidence does not promise the
        target error, else `digit`.
    """
    confident_above = card.confident_above(target_error)
    foreign = [False] * len(scores) if card.energy_limit is None else (scores.energies > card.energy_limit).tolist()
    return [
        Verdict.NOT_A_DIGIT if strange else Verdict.DIGIT if confidence > confident_above else Verdict.UNCERTAIN
        for strange, confidence in zip(foreign, scores.confidences.tolist(), strict=True)
    ]
