"""What an attempt at a batch found out, written as rows; part of the caller's transaction."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from core import tables
from core.columns import storable_path
from core.ledger.bulk import insert_rows
from core.vocabulary import Cell, Outcome, Prediction, Reason, Rejection

#: Upper bounds by which a batch's confidences are counted; fine where a sure model's are.
CONFIDENCE_BOUNDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
#: The label under which strings are counted, each of them being another.
STRING = "string"

#: Columns of `batches` that say what its images come to.
COUNTS = (
    *("scored", "rejected", "quarantined", "labelled", "correct", "escalated", "verdicts", "reasons"),
    *("labels", "confidences", "confidence_sum"),
)


def counts(outcome: Outcome) -> dict[str, Any]:
    """What the batch's images come to, by column of `batches`."""
    # Lists, and keys made words once they are counted: it is done for every image, and takes half as long.
    single = [prediction for prediction in outcome.predictions if not prediction.digits]
    quarantined = sum(rejection.reason is Reason.QUARANTINED for rejection in outcome.rejections)
    labelled = [prediction for prediction in single if prediction.true_label is not None]
    verdicts = Counter([prediction.verdict for prediction in outcome.predictions])
    confidences = [prediction.confidence for prediction in outcome.predictions]
    return {
        "scored": len(outcome.predictions),
        "rejected": len(outcome.rejections) - quarantined,
        "quarantined": quarantined,
        "labelled": len(labelled),
        "correct": sum([prediction.label == prediction.true_label for prediction in labelled]),
        "escalated": outcome.escalated,
        "verdicts": {verdict.value: images for verdict, images in verdicts.items()},
        "reasons": Counter(rejection.reason.value for rejection in outcome.rejections),
        "labels": _by_label(single, len(outcome.predictions) - len(single)),
        "confidences": _by_bound(confidences),
        "confidence_sum": sum(confidences),
    }


def _by_label(single: Sequence[Prediction], strings: int) -> dict[str, int]:
    labels = Counter([prediction.label for prediction in single])
    return {**{str(label): images for label, images in labels.items()}, **({STRING: strings} if strings else {})}


def _by_bound(confidences: Sequence[float]) -> dict[str, int]:
    """By the least bound that each does not exceed; nothing is as quick as to sort them."""
    ordered = sorted(confidences)
    ends = [0, *(bisect_right(ordered, bound) for bound in CONFIDENCE_BOUNDS[:-1]), len(ordered)]
    bins = zip(CONFIDENCE_BOUNDS, pairwise(ends), strict=True)
    return {str(bound): end - start for bound, (start, end) in bins if end > start}


def insert_outcome(connection: Connection, batch_id: int, outcome: Outcome) -> None:
    """Write predictions, rejections and the confusion matrix."""
    insert_rows(
        connection,
        tables.predictions,
        (
            *("batch_id", "position", "path", "sha256", "label", "confidence", "margin", "verdict", "true_label"),
            *("string", "digits"),
        ),
        [_row(batch_id, prediction) for prediction in outcome.predictions],
    )
    insert_rejections(connection, batch_id, outcome.rejections)
    insert_confusion(connection, batch_id, outcome.confusion)


def _row(batch_id: int, prediction: Prediction) -> tuple[Any, ...]:
    # Taken apart by position, as `worker.tally` puts it together, and for the same reason.
    position, path, sha256, label, confidence, margin, verdict, true_label, digits = prediction
    seen = (batch_id, position, storable_path(path), sha256)
    if not digits:
        return *seen, label, confidence, margin, verdict.value, true_label, None, None
    parts = json.dumps([asdict(digit) for digit in digits])
    return *seen, None, confidence, margin, verdict.value, true_label, label, parts


def insert_rejections(connection: Connection, batch_id: int, rejections: Sequence[Rejection]) -> None:
    """Write the images that could not be scored."""
    rows = [
        (
            batch_id,
            rejection.position,
            storable_path(rejection.path),
            rejection.reason.value,
            storable_path(rejection.message),
            rejection.true_label,
        )
        for rejection in rejections
    ]
    columns = ("batch_id", "position", "path", "reason", "message", "true_label")
    insert_rows(connection, tables.rejections, columns, rows)


def insert_confusion(connection: Connection, batch_id: int, cells: Sequence[Cell]) -> None:
    """Write the cells of the confusion matrix."""
    rows = [(batch_id, cell.actual, cell.predicted, cell.count) for cell in cells]
    insert_rows(connection, tables.confusion, ("batch_id", "actual", "predicted", "count"), rows)
