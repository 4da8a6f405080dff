"""What an attempt at a batch found out, written as rows; part of the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, insert

from core import tables
from core.vocabulary import Cell, Outcome, Reason, Rejection


def counts(outcome: Outcome) -> dict[str, int]:
    """The batch's part of the accounts, by column of `batches`."""
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
    }


def insert_outcome(connection: Connection, batch_id: int, outcome: Outcome) -> None:
    """Write predictions, rejections and the confusion matrix."""
    predictions = [
        {
            "batch_id": batch_id,
            "position": prediction.position,
            "path": prediction.path,
            "sha256": prediction.sha256,
            "label": None if prediction.digits else prediction.label,
            "confidence": prediction.confidence,
            "margin": prediction.margin,
            "verdict": prediction.verdict.value,
            "true_label": prediction.true_label,
            "string": prediction.label if prediction.digits else None,
            "digits": [asdict(digit) for digit in prediction.digits] or None,
        }
        for prediction in outcome.predictions
    ]
    if predictions:
        connection.execute(insert(tables.predictions), predictions)
    insert_rejections(connection, batch_id, outcome.rejections)
    insert_confusion(connection, batch_id, outcome.confusion)


def insert_rejections(connection: Connection, batch_id: int, rejections: Sequence[Rejection]) -> None:
    """Write the images that could not be scored."""
    rows = [
        {
            "batch_id": batch_id,
            "position": rejection.position,
            "path": rejection.path,
            "reason": rejection.reason.value,
            "message": rejection.message,
            "true_label": rejection.true_label,
        }
        for rejection in rejections
    ]
    if rows:
        connection.execute(insert(tables.rejections), rows)


def insert_confusion(connection: Connection, batch_id: int, cells: Sequence[Cell]) -> None:
    """Write the cells of the confusion matrix."""
    rows = [
        {"batch_id": batch_id, "actual": cell.actual, "predicted": cell.predicted, "count": cell.count}
        for cell in cells
    ]
    if rows:
        connection.execute(insert(tables.confusion), rows)
