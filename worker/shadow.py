"""What the challenger says of a batch, beside the scores that count; what goes wrong here costs no batch.

Most of it costs a warning. What ends the whole process costs the batch its first attempt, and no other one is asked for.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

import numpy as np

from classifier.predict import Predictor
from classifier.preprocess import Image
from core.ledger.shadows import Shadow
from core.vocabulary import Lease

log = logging.getLogger(__name__)

#: A hash's first bytes are a number from 0 to this.
_HASHES = 2**64


def is_chosen(batch_id: int, share: float) -> bool:
    """Tell whether a batch is of the share that the challenger scores; every attempt at a batch gets one answer.

    Args:
        batch_id: the batch.
        share: of all batches, 0 to 1.
    """
    first = hashlib.sha256(str(batch_id).encode()).digest()[:8]
    return int.from_bytes(first) < share * _HASHES


def is_due(lease: Lease, share: float) -> bool:
    """Tell whether there is a challenger to which a batch falls.

    Args:
        lease: of the batch.
        share: of the batches, 0 to 1, where the challenge names no other.
    """
    # What became of the attempt before is not known: the challenger may have ended its process, or outlived its lease.
    if lease.attempt > 1:
        return False
    # Where the challenger was in production itself when the job began, it reads the batch anyhow.
    if lease.challenger in (None, lease.batch.model_id):
        return False
    return is_chosen(lease.batch.id, share if lease.challenger_share is None else lease.challenger_share)


def ask_challenger(predictor: Callable[[int], Predictor], lease: Lease, digits: Image) -> Shadow | None:
    """Let the challenger score a batch's digits.

    Args:
        predictor: gives the loaded model of an id.
        lease: of the batch.
        digits: uint8, (n, 28, 28), prepared.

    Returns:
        What it says; None where there is nothing to score, or it has failed.
    """
    if lease.challenger is None or not len(digits):
        return None
    try:
        return _score(predictor(lease.challenger), lease.challenger, digits)
    except Exception as error:  # noqa: BLE001
        # A challenger is a model that nobody trusts yet: it may fail in any way, and the batch is scored all the same.
        log.warning("batch %s goes without the challenger: %s", lease.batch.id, str(error) or type(error).__name__)
        return None


def _score(predictor: Predictor, model_id: int, digits: Image) -> Shadow:
    scores = predictor(digits)
    if not np.isfinite(scores.confidences).all():
        raise ValueError("it gives a confidence that is no number")  # which no database would take
    return Shadow(model_id, scores.labels.tolist(), scores.confidences.tolist())
