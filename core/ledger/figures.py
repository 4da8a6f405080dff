"""Figures for whoever watches the line: what has ended since a moment, and how things stand now. No image is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, distinct, func, select

from core import clock, tables
from core.database import Database
from core.ledger.jobs import UNENDED
from core.vocabulary import BatchState, JobState, QueueName

_jobs, _batches, _models = tables.jobs, tables.batches, tables.models

#: States of a batch whose images have all met their end.
_ENDED = (BatchState.DONE.value, BatchState.QUARANTINED.value)

#: A batch's end: its id, and when it ended. A batch that is scored anew ends twice.
End = tuple[int, datetime]


@dataclass(frozen=True, slots=True)
class EndedBatch:
    """What a batch came to."""

    end: End
    state: BatchState
    queue: QueueName
    #: Number and name of the model that its job is pinned to.
    model_id: int
    model: str
    #: Images by outcome: `scored`, `rejected`, `quarantined`.
    outcomes: Mapping[str, int]
    #: Scored images with a true label, those of them that were read right, and those that careful networks were asked about.
    labelled: int
    correct: int
    escalated: int
    #: Scored images by verdict, rejected ones by reason; scored ones by label and by upper bound of their confidence.
    verdicts: Mapping[str, int]
    reasons: Mapping[str, int]
    labels: Mapping[str, int]
    confidences: Mapping[str, int]
    #: Of all scored images, added up.
    confidence_sum: float
    #: Seconds by stage, and from the claim to the end.
    timings: Mapping[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a queue, by the ledger, sent or not; what belongs to a paused job waits for a person instead."""

    batches: int = 0
    images: int = 0
    #: Seconds since the batch that waits longest was queued, or was sent last.
    oldest: float = 0.0


@dataclass(frozen=True, slots=True)
class Leases:
    """What workers have in hand."""

    #: Batches under a lease that lasts, and under one that ran out.
    open: int
    overdue: int
    #: Worker processes that hold them.
    holders: int


@dataclass(frozen=True, slots=True)
class InUse:
    """A model that scores now."""

    id: int
    name: str
    sha256: str
    #: `production` or `challenger`.
    alias: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at one moment."""

    backlogs: Mapping[QueueName, Backlog]
    leases: Leases
    #: Jobs that have not ended; a paused one counts as that alone.
    jobs: Mapping[JobState, int]
    #: Whether the whole line waits for a person.
    paused: bool
    models: Collection[InUse]


def ends_since(database: Database, moment: datetime) -> list[End]:
    """The ends after a moment of the database's clock, the earliest first; read from an index alone."""
    chosen = select(_batches.c.id, _batches.c.finished_at).where(_batches.c.finished_at > moment)
    with database.read() as connection:
        return [(row.id, row.finished_at) for row in connection.execute(chosen.order_by(_batches.c.finished_at))]


def ended(database: Database, batch_ids: Collection[int]) -> list[EndedBatch]:
    """What these batches came to; those that are open again are left out."""
    with database.read() as connection:
        return [_ended_batch(row) for row in connection.execute(_select_ended(batch_ids))]


def standing(database: Database) -> Standing:
    """How things stand now."""
    with database.read() as connection:
        paused = connection.execute(select(tables.pauses.c.id)).first() is not None
        return Standing(_backlogs(connection), _leases(connection), _open_jobs(connection), paused, _in_use(connection))


def _select_ended(batch_ids: Collection[int]) -> Select[Any]:
    wanted = ("id", "finished_at", "started_at", "state", "scored", "rejected", "quarantined", "labelled", "correct")
    counted = ("escalated", "verdicts", "reasons", "labels", "confidences", "confidence_sum", "timings")
    of_job = (_jobs.c.queue, _models.c.id.label("model_id"), _models.c.name.label("model"))
    return (
        select(*(_batches.c[name] for name in (*wanted, *counted)), *of_job)
        .join(_jobs, _jobs.c.id == _batches.c.job_id)
        .join(_models, _models.c.id == _jobs.c.model_id)
        .where(_batches.c.id.in_(batch_ids), _batches.c.state.in_(_ENDED))
    )


def _ended_batch(row: Row[Any]) -> EndedBatch:
    return EndedBatch(
        end=(row.id, row.finished_at),
        state=BatchState(row.state),
        queue=QueueName(row.queue),
        model_id=row.model_id,
        model=row.model,
        outcomes={"scored": row.scored, "rejected": row.rejected, "quarantined": row.quarantined},
        labelled=row.labelled,
        correct=row.correct,
        escalated=row.escalated,
        verdicts=row.verdicts or {},
        reasons=row.reasons or {},
        labels=row.labels or {},
        confidences=row.confidences or {},
        confidence_sum=row.confidence_sum or 0.0,
        timings=row.timings or {},
        # A batch that is given up after a retry was never claimed since.
        seconds=(row.finished_at - row.started_at).total_seconds() if row.started_at is not None else 0.0,
    )


def _backlogs(connection: Connection) -> dict[QueueName, Backlog]:
    chosen = (
        select(
            _jobs.c.queue,
            func.count().label("batches"),
            func.sum(_batches.c.size).label("images"),
            func.min(_batches.c.sent_at).label("oldest"),
            clock.now().label("now"),
        )
        .join(_jobs, _jobs.c.id == _batches.c.job_id)
        .where(_batches.c.state == BatchState.QUEUED.value, _jobs.c.paused_at.is_(None))
        .group_by(_jobs.c.queue)
    )
    waiting = {
        QueueName(row.queue): Backlog(row.batches, int(row.images), max(0.0, (row.now - row.oldest).total_seconds()))
        for row in connection.execute(chosen)
    }
    return {queue: waiting.get(queue, Backlog()) for queue in QueueName}


def _leases(connection: Connection) -> Leases:
    chosen = select(
        func.count(_if(_batches.c.lease_until >= clock.now())).label("open"),
        func.count(_if(_batches.c.lease_until < clock.now())).label("overdue"),
        func.count(distinct(_batches.c.worker)).label("holders"),
    ).where(_batches.c.state == BatchState.LEASED.value)
    row = connection.execute(chosen).one()
    return Leases(row.open, row.overdue, row.holders)


def _if(condition: ColumnElement[bool]) -> ColumnElement[int | None]:
    return case((condition, 1))


def _open_jobs(connection: Connection) -> dict[JobState, int]:
    state = case((_jobs.c.paused_at.is_not(None), JobState.PAUSED.value), else_=_jobs.c.state).label("shown")
    unended = _jobs.c.state.in_(UNENDED)
    counts = connection.execute(select(state, func.count()).where(unended).group_by(state))
    found = {JobState(shown): count for shown, count in counts}
    return {state: found.get(state, 0) for state in JobState if not state.ended}


def _in_use(connection: Connection) -> list[InUse]:
    chosen = select(_models.c.id, _models.c.name, _models.c.sha256, _models.c.alias).where(_models.c.alias.is_not(None))
    return [InUse(*row) for row in connection.execute(chosen.order_by(_models.c.id))]
