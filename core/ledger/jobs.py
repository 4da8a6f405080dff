"""Jobs: created whole, found again, filed away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from core import clock, tables
from core.database import Database
from core.errors import JobNotFound
from core.ledger import beginnings, corrected
from core.vocabulary import Accounts, BatchState, Job, JobState, NewJob, QueueName, Trigger, number_of

_jobs, _batches, _models = tables.jobs, tables.batches, tables.models

#: States of a batch that may still bring rows.
OPEN = (BatchState.QUEUED.value, BatchState.LEASED.value)
#: States of a job in which images of it may still be scored; it may be paused in either.
UNENDED = (JobState.QUEUED.value, JobState.RUNNING.value)
#: By job, what went wrong in the last attempt at a batch that is still open.
TROUBLE = func.max(case((_batches.c.state.in_(OPEN), _batches.c.error))).label("trouble")


def create(database: Database, new: NewJob, *, room: int = 0) -> Job:
    """Write a job and all its batches in one transaction, pinned to the model in production.

    A claim that has a job already gets no second one: the job it has is returned.

    Args:
        database: the ledger.
        new: the job.
        room: messages that its queue has room for. Where all of its batches fit and none waits before them, they are
            written as sent, for the caller to send; one transaction less for an image that somebody waits for.

    Raises:
        ModelNotFound: no model is in production.
        LedgerUnreachable: the database does not answer; nothing was written.
    """
    try:
        with database.begin() as connection:
            return read(connection, beginnings.write(connection, new, room=room))
    except IntegrityError:
        existing = of_claim(database, new.claim) if new.claim is not None else None
        if existing is None:
            raise
        return existing


def get(database: Database, job_id: int) -> Job:
    """The job of that id.

    Raises:
        JobNotFound: there is none.
    """
    with database.read() as connection:
        return read(connection, job_id)


def read(connection: Connection, job_id: int) -> Job:
    """The job of that id, as the caller's transaction sees it.

    Raises:
        JobNotFound: there is none.
    """
    found = _read(connection, _of_id(), {"job": job_id})
    if not found:
        raise JobNotFound(f"There is no job {job_id}.")
    return found[0]


def find(database: Database, reference: str) -> Job:
    """The job of that id, or the newest of that name.

    Raises:
        JobNotFound: there is none.
    """
    number = number_of(reference) or 0  # which no job has
    chosen = _select_jobs(or_(_jobs.c.name == reference, _jobs.c.id == number))
    with database.read() as connection:
        # A number is an id before it is a name: a class folder dropped as `1` must not stand before job 1.
        found = _read(connection, chosen.order_by((_jobs.c.id == number).desc(), _jobs.c.id.desc()).limit(1))
    if not found:
        raise JobNotFound(f"There is no job {reference!r}.")
    return found[0]


def newest(database: Database, limit: int, *, before: int | None = None) -> list[Job]:
    """The newest jobs, the newest first; those that are older than the job `before`, where it is given."""
    # Chosen before their batches are added up, or PostgreSQL may add up those of every job there ever was.
    chosen = select(_jobs.c.id).order_by(_jobs.c.id.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(_jobs.c.id < before)
    with database.read() as connection:
        return _read(connection, _select_jobs(_jobs.c.id.in_(chosen)).order_by(_jobs.c.id.desc()))


def of_claim(database: Database, claim: str) -> Job | None:
    """The job that was made of a claimed drop, if it was."""
    with database.read() as connection:
        return next(iter(_read(connection, _select_jobs(_jobs.c.claim == claim))), None)


def ended_unbalanced(database: Database) -> list[Job]:
    """Jobs that ended, though not by hand, and whose accounts do not balance; there should never be one."""
    ended = (JobState.DONE.value, JobState.FAILED.value)
    with database.read() as connection:
        ended_jobs = _read(connection, _select_jobs(_jobs.c.state.in_(ended)))
    return [job for job in ended_jobs if not job.accounts.balanced]


def unfiled(database: Database) -> list[Job]:
    """The jobs of the inbox that ended, or ended anew after a retry, and whose drop is not filed since."""
    with database.read() as connection:
        return _read(connection, _select_jobs(*UNFILED).order_by(_jobs.c.id))


def is_unfiled(database: Database, job: Job) -> bool:
    """True while the drop of a job that ended waits to be filed."""
    with database.read() as connection:
        return connection.execute(select(_jobs.c.id).where(_jobs.c.id == job.id, *UNFILED)).first() is not None


def mark_filed(database: Database, job: Job, source: str) -> None:
    """Note where the drop of a job lies now."""
    # A job that was retried meanwhile is to be filed anew once it ends; where its drop lies is true all the same.
    still = and_(_jobs.c.state == job.state.value, _jobs.c.finished_at == job.finished_at)
    values = {"source": source, "filed_at": case((still, clock.now()), else_=_jobs.c.filed_at)}
    with database.begin() as connection:
        connection.execute(update(_jobs).where(_jobs.c.id == job.id).values(values))


def is_split(options: Mapping[str, Any]) -> bool:
    """Whether a job of these options reads a picture of several digits as one string; older jobs do not say."""
    return bool(options.get("split"))


def max_rejected(options: Mapping[str, Any]) -> float | None:
    """The failure budget of a job of these options: share of its images that may be refused before it pauses."""
    budget = options.get("max_rejected")
    return None if budget is None else float(budget)


def with_max_rejected(options: Mapping[str, Any], budget: float | None) -> dict[str, Any]:
    """The options of a job that has another failure budget."""
    return {**options, "max_rejected": budget}


def claims_with_a_job(database: Database, claims: Collection[str]) -> set[str]:
    """Those of the claims that have a job."""
    with database.read() as connection:
        return set(connection.scalars(select(_jobs.c.claim).where(_jobs.c.claim.in_(list(claims)))))


#: Conditions of the jobs of the inbox that ended, or ended anew after a retry, and whose drop is not filed since.
UNFILED = (
    _jobs.c.claim.is_not(None),
    or_(_jobs.c.filed_at.is_(None), _jobs.c.filed_at < _jobs.c.finished_at),
    _jobs.c.state.not_in(UNENDED),
)


_COUNTS = ("scored", "rejected", "quarantined", "labelled", "correct", "escalated")


def _select_jobs(*conditions: ColumnElement[bool]) -> Select[Any]:
    counts = [func.coalesce(func.sum(_batches.c[name]), 0).label(name) for name in _COUNTS]
    return (
        select(_jobs, _models.c.name.label("model"), TROUBLE, *counts)
        .join(_models, _models.c.id == _jobs.c.model_id)
        .outerjoin(_batches, _batches.c.job_id == _jobs.c.id)
        .where(*conditions)
        .group_by(_jobs.c.id, _models.c.name)
    )


@cache  # asked each time somebody looks whether a job has ended
def _of_id() -> Select[Any]:
    return _select_jobs(_jobs.c.id == bindparam("job"))


def _read(connection: Connection, chosen: Select[Any], values: Mapping[str, Any] | None = None) -> list[Job]:
    return corrected.with_reviews(connection, [_job(row) for row in connection.execute(chosen, values)])


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        name=row.name,
        source=row.source,
        state=JobState(row.state) if row.paused_at is None else JobState.PAUSED,
        queue=QueueName(row.queue),
        triggered_by=Trigger(row.triggered_by),
        accounts=Accounts(row.found, int(row.scored), int(row.rejected), int(row.quarantined)),
        batches=row.batch_count,
        model=row.model,
        created_at=row.created_at,
        split=is_split(row.options),
        max_rejected=max_rejected(row.options),
        started_at=row.started_at,
        finished_at=row.finished_at,
        paused_at=row.paused_at,
        labelled=int(row.labelled),
        correct=int(row.correct),
        escalated=int(row.escalated),
        error=row.error,
        trouble=row.trouble,
        claim=row.claim,
        schedule=row.schedule,
        priority=row.priority,
    )
