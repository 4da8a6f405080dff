"""What a scored image is taken for."""

from __future__ import annotations

import numpy as np

from classifier.artifact import Card
from classifier.predict import Scores
from core.vocabulary import Verdict

#: The further, the surer.
_VERDICTS = np.array([Verdict.NOT_A_DIGIT, Verdict.UNCERTAIN, Verdict.DIGIT], object)


def judge(scores: Scores, card: Card, target_error: float) -> list[Verdict]:
    """Decide of every image whether it is a digit, an uncertain one, or none at all.

    Args:
        scores: what a model says.
        card: the model's.
        target_error: share of wrong labels among the sure ones that is still borne, 0 to 1.

    Returns:
        `not_a_digit` where the energy is above the card's limit, `uncertain` where it is above what leaves no doubt, or
        the confidence does not promise the target error; else `digit`.
    """
    limit = np.inf if card.energy_limit is None else card.energy_limit
    doubt = np.inf if card.energy_doubt is None else card.energy_doubt
    sure = (scores.confidences > card.confident_above(target_error)) & (scores.energies <= doubt)
    known = scores.energies <= limit
    verdicts: list[Verdict] = _VERDICTS[np.where(known, 1 + sure, 0)].tolist()
    return verdicts
