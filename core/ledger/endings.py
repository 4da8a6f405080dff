"""How a job ends: once its batches are over and its accounts balance; or pauses, where too much of it is refused."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    bindparam,
    case,
    exists,
    func,
    select,
    update,
)

from core import clock, tables
from core.database import Database
from core.ledger import notices
from core.ledger.jobs import OPEN, UNENDED, max_rejected
from core.vocabulary import JobState

_jobs, _batches = tables.jobs, tables.batches


def settle(connection: Connection, job_id: int) -> None:
    """End a job that is over, or pause one that has spent its failure budget; part of the caller's transaction."""
    # Two last batches may finish at once: the second waits here, and then sees what the first one wrote.
    of_job = {"job": job_id}
    job = connection.execute(_lock(), of_job).one_or_none()
    if job is None:
        return
    # Asked by itself, for it is quick: to add up what a million images came to is for the last batch.
    still_open = connection.execute(_still_open(), of_job).scalar_one()
    if still_open or not _close(connection, job_id):
        _pause_if_spent(connection, job_id, job)


def close_all_over(database: Database) -> int:
    """End every job that is over; returns how many there were."""
    still_open = exists().where(_batches.c.job_id == _jobs.c.id, _batches.c.state.in_(OPEN))
    with database.read() as connection:
        over = connection.scalars(select(_jobs.c.id).where(_jobs.c.state.in_(UNENDED), ~still_open)).all()
    return sum(_lock_and_close(database, job_id) for job_id in over)


@cache  # once for all, for every batch ends by them
def _lock() -> Select[Any]:
    chosen = select(_jobs.c.options, _jobs.c.found).where(_jobs.c.id == bindparam("job"))
    return chosen.with_for_update(key_share=True)


@cache
def _still_open() -> Select[Any]:
    return select(_is_open(bindparam("job")))


@cache
def _end() -> Update:
    job: BindParameter[int] = bindparam("job")
    scored = _sum_of(_batches.c.scored, job)
    accounted = _sum_of(_batches.c.scored + _batches.c.rejected + _batches.c.quarantined, job)
    return (
        update(_jobs)
        .where(_jobs.c.id == job, _jobs.c.state.in_(UNENDED), ~_is_open(job), _jobs.c.found == accounted)
        .values(
            state=case((scored > 0, JobState.DONE.value), else_=JobState.FAILED.value),
            error=case((scored > 0, None), else_="not one of its images could be scored"),
            finished_at=clock.now(),
            paused_at=None,
            paused_by=None,
        )
    )


@cache
def _refused() -> Select[Any]:
    return select(_sum_of(_batches.c.rejected + _batches.c.quarantined, bindparam("job")))


def _lock_and_close(database: Database, job_id: int) -> bool:
    with database.begin() as connection:
        connection.execute(_lock(), {"job": job_id})
        return _close(connection, job_id)


def _close(connection: Connection, job_id: int) -> bool:
    """End a job whose batches have all ended and whose accounts balance; the caller holds its row."""
    if connection.execute(_end(), {"job": job_id}).rowcount != 1:
        return False
    notices.announce(connection, job_id)
    return True


def _pause_if_spent(connection: Connection, job_id: int, job: Row[Any, Any]) -> None:
    """Pause a job of whose images, of all that were found, more are refused than it may bear."""
    budget = max_rejected(job.options)
    if budget is None:
        return
    refused = connection.execute(_refused(), {"job": job_id}).scalar_one()
    if refused <= budget * job.found:
        return
    why = f"{refused} of its {job.found} images are rejected or quarantined, more than the {budget:.2%} it may bear"
    running = (_jobs.c.id == job_id, _jobs.c.state.in_(UNENDED), _jobs.c.paused_at.is_(None))
    if connection.execute(update(_jobs).where(*running).values(paused_at=clock.now(), error=why)).rowcount == 1:
        notices.announce(connection, job_id)


def _is_open(job_id: ColumnElement[int]) -> ColumnElement[bool]:
    return exists().where(_batches.c.job_id == job_id, _batches.c.state.in_(OPEN))


def _sum_of(column: ColumnElement[int], job_id: ColumnElement[int]) -> ColumnElement[int]:
    return select(func.coalesce(func.sum(column), 0)).where(_batches.c.job_id == job_id).scalar_subquery()
