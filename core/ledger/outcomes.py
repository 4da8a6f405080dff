"""What an attempt at a batch found out, written as rows; part of the caller's transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from core import tables
from core.ledger.bulk import insert_rows
from core.tables import storable_path
from core.vocabulary import Cell, Outcome, Prediction, Reason, Rejection


def counts(outcome: Outcome) -> dict[str, Any]:
    """What the batch's images come to, by column of `batches`."""
    single = (prediction for prediction in outcome.predictions if not prediction.digits)
    quarantined = sum(rejection.reason is Reason.QUARANTINED for rejection in outcome.rejections)
    labelled = [prediction for prediction in single if prediction.true_label is not None]
    return {
        "scored": len(outcome.predictions),
        "rejected": len(outcome.rejections) - quarantined,
        "quarantined": quarantined,
        "labelled": len(labelled),
        "correct": sum(prediction.label == prediction.true_label for prediction in labelled),
        "escalated": outcome.escalated,
        "verdicts": Counter(prediction.verdict.value for prediction in outcome.predictions),
        "reasons": Counter(rejection.reason.value for rejection in outcome.rejections),
    }


def insert_outcome(connection: Connection, batch_id: int, outcome: Outcome) -> None:
    """Write predictions, rejections and the confusion matrix."""
    insert_rows(
        connection,
        tables.predictions,
        (
            *("batch_id", "position", "path", "sha256", "label", "confidence", "margin", "verdict", "true_label"),
            *("string", "digits"),
        ),
        [_prediction(batch_id, prediction) for prediction in outcome.predictions],
    )
    insert_rejections(connection, batch_id, outcome.rejections)
    insert_confusion(connection, batch_id, outcome.confusion)


def _prediction(batch_id: int, prediction: Prediction) -> tuple[Any, ...]:
    digits = prediction.digits
    return (
        batch_id,
        prediction.position,
        storable_path(prediction.path),
        prediction.sha256,
        None if digits else prediction.label,
        prediction.confidence,
        prediction.margin,
        prediction.verdict.value,
        prediction.true_label,
        prediction.label if digits else None,
        json.dumps([asdict(digit) for digit in digits]) if digits else None,
    )


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
