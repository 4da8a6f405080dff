"""What the challenger said in the shadow of the scores that count, and where it differs from the model in production."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, select

from core import tables
from core.database import Database
from core.ledger.bulk import insert_rows
from core.vocabulary import Model, Outcome

_shadows, _predictions, _batches, _jobs = (
    tables.shadow_predictions,
    tables.predictions,
    tables.batches,
    tables.jobs,
)
_corrections = tables.corrections
#: What an image is known to show: what people said, where they did, else the label that came with it.
_TRUTH = case((_corrections.c.id.is_not(None), _corrections.c.new_label), else_=_predictions.c.true_label)


@dataclass(frozen=True, slots=True)
class Shadow:
    """What the challenger says of a batch's pictures of one digit, in the order of its predictions."""

    model_id: int
    labels: Sequence[int]
    #: Calibrated probabilities of the labels, 0 to 1.
    confidences: Sequence[float]


@dataclass(frozen=True, slots=True)
class Difference:
    """Images that the two models read differently, by what they read."""

    production: int
    challenger: int
    images: int
    #: Of these images, those whose true label is known to be the one or the other.
    production_right: int
    challenger_right: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One image that the two models read differently."""

    job_id: int
    job_name: str
    #: Relative to the job's folder.
    path: str
    production: int
    production_confidence: float
    challenger: int
    challenger_confidence: float
    #: As people said, where they did; else the label that came with it.
    true_label: int | None
    #: Where it stands in the ledger.
    batch: int
    position: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where a challenger and the model that counted differ."""

    #: Images that both scored, and how many of them they read alike.
    images: int
    alike: int
    #: Of the images that both scored, those whose true label is known, and how many of these each read right.
    labelled: int
    production_right: int
    challenger_right: int
    #: The most frequent first.
    differences: tuple[Difference, ...]
    #: Those of which both models were the surest first.
    disagreements: tuple[Disagreement, ...]

    @property
    def agreement(self) -> float | None:
        """Share of images read alike, 0 to 1; None where there are none."""
        return self.alike / self.images if self.images else None


def insert_shadow(connection: Connection, batch_id: int, outcome: Outcome, shadow: Shadow) -> None:
    """Write what the challenger says; part of the caller's transaction."""
    single = [prediction for prediction in outcome.predictions if not prediction.digits]
    rows = [
        (batch_id, prediction.position, shadow.model_id, label, confidence)
        for prediction, label, confidence in zip(single, shadow.labels, shadow.confidences, strict=True)
    ]
    insert_rows(connection, _shadows, ("batch_id", "position", "model_id", "label", "confidence"), rows)


def compare(
    database: Database,
    production: Model,
    challenger: Model,
    *,
    job_ids: Collection[int] | None = None,
    shown: int = 10,
) -> Comparison:
    """Compare what a challenger said in the shadow with what the model that counted said of the same images.

    Args:
        database: the ledger.
        production: the model to whose jobs the images belong.
        challenger: the model that scored them in the shadow.
        job_ids: jobs whose images are compared; None: all of them.
        shown: disagreements to give at the most.
    """
    both = and_(_shadows.c.model_id == challenger.id, _jobs.c.model_id == production.id)
    if job_ids is not None:
        both = and_(both, _jobs.c.id.in_(job_ids))
    differ = and_(both, _predictions.c.label != _shadows.c.label)
    with database.read() as connection:
        totals = connection.execute(_joined(_TOTALS).where(both)).one()
        differences = connection.execute(_differences(differ)).all()
        disagreements = connection.execute(_disagreements(differ).limit(shown)).all()
    return Comparison(
        images=int(totals.images),
        alike=int(totals.alike),
        labelled=int(totals.labelled),
        production_right=int(totals.production_right),
        challenger_right=int(totals.challenger_right),
        differences=tuple(map(_difference, differences)),
        disagreements=tuple(map(_disagreement, disagreements)),
    )


def _count_where(condition: ColumnElement[bool], name: str) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0).label(name)


_PRODUCTION_RIGHT = _count_where(_predictions.c.label == _TRUTH, "production_right")
_CHALLENGER_RIGHT = _count_where(_shadows.c.label == _TRUTH, "challenger_right")
_TOTALS = (
    func.count().label("images"),
    _count_where(_shadows.c.label == _predictions.c.label, "alike"),
    func.count(_TRUTH).label("labelled"),
    _PRODUCTION_RIGHT,
    _CHALLENGER_RIGHT,
)


def _joined(columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    same = and_(_predictions.c.batch_id == _shadows.c.batch_id, _predictions.c.position == _shadows.c.position)
    said = and_(_corrections.c.batch_id == _shadows.c.batch_id, _corrections.c.position == _shadows.c.position)
    return (
        select(*columns)
        .select_from(_shadows)
        .join(_predictions, same)
        .join(_batches, _batches.c.id == _shadows.c.batch_id)
        .join(_jobs, _jobs.c.id == _batches.c.job_id)
        .outerjoin(_corrections, and_(said, _corrections.c.stands))
    )


def _differences(differ: ColumnElement[bool]) -> Select[Any]:
    labels = (_predictions.c.label.label("production"), _shadows.c.label.label("challenger"))
    images = func.count().label("images")
    counted = _joined((*labels, images, _PRODUCTION_RIGHT, _CHALLENGER_RIGHT)).where(differ)
    return counted.group_by(_predictions.c.label, _shadows.c.label).order_by(
        images.desc(), _predictions.c.label, _shadows.c.label
    )


def _disagreements(differ: ColumnElement[bool]) -> Select[Any]:
    less_sure = case(
        (_predictions.c.confidence < _shadows.c.confidence, _predictions.c.confidence), else_=_shadows.c.confidence
    )
    columns = (
        _jobs.c.id.label("job_id"),
        _jobs.c.name.label("job_name"),
        _predictions.c.path,
        _predictions.c.label.label("production"),
        _predictions.c.confidence.label("production_confidence"),
        _shadows.c.label.label("challenger"),
        _shadows.c.confidence.label("challenger_confidence"),
        _TRUTH.label("true_label"),
        _shadows.c.batch_id.label("batch"),
        _shadows.c.position,
    )
    ranked = _joined(columns).where(differ)
    return ranked.order_by(less_sure.desc(), _shadows.c.batch_id, _shadows.c.position)


def _difference(row: Row[Any]) -> Difference:
    return Difference(
        row.production, row.challenger, int(row.images), int(row.production_right), int(row.challenger_right)
    )


def _disagreement(row: Row[Any]) -> Disagreement:
    return Disagreement(**row._asdict())
