"""Jobs: created whole, closed when their accounts balance, cancelled, retried, filed away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from core import clock, tables
from core.database import Database
from core.errors import IllegalTransition, JobNotFound, ModelNotFound
from core.ledger.models import PRODUCTION
from core.vocabulary import Accounts, BatchState, Job, JobState, NewJob, QueueName, Trigger, number_of

_jobs, _batches, _models = tables.jobs, tables.batches, tables.models

#: Batches inserted by one statement; bounds the memory of a job of a million images.
_INSERT_CHUNK = 500


def create(database: Database, new: NewJob) -> Job:
    """Write a job and all its batches in one transaction, pinned to the model in production.

    A claim that has a job already gets no second one: the job it has is returned.

    Raises:
        ModelNotFound: no model is in production.
        LedgerUnreachable: the database does not answer; nothing was written.
    """
    try:
        with database.begin() as connection:
            job_id = _insert_job(connection, new)
            _insert_batches(connection, job_id, new)
    except IntegrityError:
        existing = of_claim(database, new.claim) if new.claim is not None else None
        if existing is None:
            raise
        return existing
    return get(database, job_id)


def get(database: Database, job_id: int) -> Job:
    """The job of that id.

    Raises:
        JobNotFound: there is none.
    """
    with database.read() as connection:
        row = connection.execute(_select_jobs(_jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise JobNotFound(f"There is no job {job_id}.")
    return _job(row)


def find(database: Database, reference: str) -> Job:
    """The job of that id, or the newest of that name.

    Raises:
        JobNotFound: there is none.
    """
    number = number_of(reference) or 0  # which no job has
    chosen = _select_jobs(or_(_jobs.c.name == reference, _jobs.c.id == number))
    with database.read() as connection:
        # A number is an id before it is a name: a class folder dropped as `1` must not stand before job 1.
        row = connection.execute(chosen.order_by((_jobs.c.id == number).desc(), _jobs.c.id.desc())).first()
    if row is None:
        raise JobNotFound(f"There is no job {reference!r}.")
    return _job(row)


def newest(database: Database, limit: int) -> list[Job]:
    """The newest jobs, the newest first."""
    with database.read() as connection:
        return [_job(row) for row in connection.execute(_select_jobs().order_by(_jobs.c.id.desc()).limit(limit))]


def of_claim(database: Database, claim: str) -> Job | None:
    """The job that was made of a claimed drop, if it was."""
    with database.read() as connection:
        row = connection.execute(_select_jobs(_jobs.c.claim == claim)).one_or_none()
    return _job(row) if row is not None else None


def ended_unbalanced(database: Database) -> list[Job]:
    """Jobs that ended, though not by hand, and whose accounts do not balance; there should never be one."""
    ended = (JobState.DONE.value, JobState.FAILED.value)
    with database.read() as connection:
        ended_jobs = [_job(row) for row in connection.execute(_select_jobs(_jobs.c.state.in_(ended)))]
    return [job for job in ended_jobs if not job.accounts.balanced]


def unfiled(database: Database) -> list[Job]:
    """The jobs of the inbox that ended, or ended anew after a retry, and whose drop is not filed since."""
    with database.read() as connection:
        return [_job(row) for row in connection.execute(_select_jobs(*_UNFILED).order_by(_jobs.c.id))]


def is_unfiled(database: Database, job: Job) -> bool:
    """True while the drop of a job that ended waits to be filed."""
    with database.read() as connection:
        return connection.execute(select(_jobs.c.id).where(_jobs.c.id == job.id, *_UNFILED)).first() is not None


def mark_filed(database: Database, job: Job, source: str) -> None:
    """Note where the drop of a job lies now."""
    # A job that was retried meanwhile is to be filed anew once it ends; where its drop lies is true all the same.
    still = and_(_jobs.c.state == job.state.value, _jobs.c.finished_at == job.finished_at)
    values = {"source": source, "filed_at": case((still, clock.now()), else_=_jobs.c.filed_at)}
    with database.begin() as connection:
        connection.execute(update(_jobs).where(_jobs.c.id == job.id).values(values))


def cancel(database: Database, job: Job) -> Job:
    """Stop a job; what is scored stays scored, what is open stays open for ever.

    Raises:
        IllegalTransition: the job has ended already.
    """
    open_batches = and_(_batches.c.job_id == job.id, _batches.c.state.in_(_OPEN))
    released = {"state": BatchState.CANCELLED.value, "lease_token": None, "lease_until": None}
    with database.begin() as connection:
        # Batches before their job and in one order, as everywhere, or this and a worker or a sweep wait for each other.
        connection.execute(select(_batches.c.id).where(open_batches).order_by(_batches.c.id).with_for_update())
        connection.execute(update(_batches).where(open_batches).values(released))
        stopped = {"state": JobState.CANCELLED.value, "error": "cancelled by hand", "finished_at": clock.now()}
        open_job = and_(_jobs.c.id == job.id, _jobs.c.state.in_(_UNENDED))
        if connection.execute(update(_jobs).where(open_job).values(stopped)).rowcount != 1:
            raise IllegalTransition(f"Job {job.id} has ended already; it cannot be cancelled.")
    return get(database, job.id)


def retry(database: Database, job: Job) -> Job:
    """Give every quarantined or cancelled batch of a job a new chance.

    Raises:
        IllegalTransition: the job has not ended, or has nothing to retry.
    """
    again = and_(_batches.c.job_id == job.id, _batches.c.state.in_(_RETRIED))
    reset = {"state": BatchState.QUEUED.value, "attempts": 0, "quarantined": 0, "error": None, "sent_at": clock.now()}
    ended = and_(_jobs.c.id == job.id, _jobs.c.state.not_in(_UNENDED))
    reopened = {"state": JobState.QUEUED.value, "error": None, "finished_at": None}
    with database.begin() as connection:
        # The job first: of two retries the second finds it open, and leaves alone what a worker has claimed since.
        if connection.execute(update(_jobs).where(ended).values(reopened)).rowcount != 1:
            raise IllegalTransition(f"Job {job.id} has not ended; only then can it be retried.")
        chosen = select(_batches.c.id).where(again)
        for table in (tables.rejections, tables.confusion):
            connection.execute(delete(table).where(table.c.batch_id.in_(chosen)))
        if connection.execute(update(_batches).where(again).values(reset)).rowcount == 0:
            raise IllegalTransition(f"Job {job.id} has nothing to retry: no batch of it was quarantined or cancelled.")
    return get(database, job.id)


def close_if_over(connection: Connection, job_id: int) -> bool:
    """End a job whose batches have all ended and whose accounts balance; part of the caller's transaction."""
    # Two last batches may finish at once: the second waits here, and then sees what the first one wrote.
    connection.execute(select(_jobs.c.id).where(_jobs.c.id == job_id).with_for_update())
    still_open = exists().where(_batches.c.job_id == job_id, _batches.c.state.in_(_OPEN))
    scored = _sum_of(_batches.c.scored, job_id)
    accounted = _sum_of(_batches.c.scored + _batches.c.rejected + _batches.c.quarantined, job_id)
    over = connection.execute(
        update(_jobs)
        .where(_jobs.c.id == job_id, _jobs.c.state.in_(_UNENDED), ~still_open, _jobs.c.found == accounted)
        .values(
            state=case((scored > 0, JobState.DONE.value), else_=JobState.FAILED.value),
            error=case((scored > 0, None), else_="not one of its images could be scored"),
            finished_at=clock.now(),
        )
    )
    return over.rowcount == 1


def close_all_over(database: Database) -> int:
    """End every job that is over; returns how many there were."""
    still_open = exists().where(_batches.c.job_id == _jobs.c.id, _batches.c.state.in_(_OPEN))
    with database.read() as connection:
        over = connection.scalars(select(_jobs.c.id).where(_jobs.c.state.in_(_UNENDED), ~still_open)).all()
    return sum(_close(database, job_id) for job_id in over)


def is_split(options: Mapping[str, Any]) -> bool:
    """Whether a job of these options reads a picture of several digits as one string; older jobs do not say."""
    return bool(options.get("split"))


def claims_with_a_job(database: Database, claims: Collection[str]) -> set[str]:
    """Those of the claims that have a job."""
    with database.read() as connection:
        return set(connection.scalars(select(_jobs.c.claim).where(_jobs.c.claim.in_(list(claims)))))


_RETRIED = (BatchState.QUARANTINED.value, BatchState.CANCELLED.value)
_OPEN = (BatchState.QUEUED.value, BatchState.LEASED.value)
_UNENDED = (JobState.QUEUED.value, JobState.RUNNING.value)
_UNFILED = (
    _jobs.c.claim.is_not(None),
    or_(_jobs.c.filed_at.is_(None), _jobs.c.filed_at < _jobs.c.finished_at),
    _jobs.c.state.not_in(_UNENDED),
)


def _close(database: Database, job_id: int) -> bool:
    with database.begin() as connection:
        return close_if_over(connection, job_id)


def _insert_job(connection: Connection, new: NewJob) -> int:
    model = connection.execute(select(_models.c.id).where(_models.c.alias == PRODUCTION)).scalar_one_or_none()
    if model is None:
        raise ModelNotFound(
            "No model is in production.", mend="Run `digitline migrate`, which registers the shipped one."
        )
    values = {
        "name": new.name,
        "source": new.source,
        "state": JobState.QUEUED.value,
        "queue": new.queue.value,
        "triggered_by": new.triggered_by.value,
        "model_id": model,
        "found": new.found,
        "batch_count": len(new.manifests),
        "options": {"labels": new.labels.value, "split": new.split},
        "claim": new.claim,
        "created_at": clock.now(),
    }
    return int(connection.execute(insert(_jobs).values(values).returning(_jobs.c.id)).scalar_one())


def _insert_batches(connection: Connection, job_id: int, new: NewJob) -> None:
    rows = [
        {
            "job_id": job_id,
            "sequence": sequence,
            "size": len(manifest),
            "state": BatchState.QUEUED.value,
            "manifest": {"paths": list(manifest.paths), "true_labels": manifest.true_labels},
        }
        for sequence, manifest in enumerate(new.manifests, start=1)
    ]
    statement = insert(_batches).values(sent_at=clock.now())
    for start in range(0, len(rows), _INSERT_CHUNK):
        connection.execute(statement, rows[start : start + _INSERT_CHUNK])


def _sum_of(column: ColumnElement[int], job_id: int) -> ColumnElement[int]:
    return select(func.coalesce(func.sum(column), 0)).where(_batches.c.job_id == job_id).scalar_subquery()


_COUNTS = ("scored", "rejected", "quarantined", "labelled", "correct", "escalated")


def _select_jobs(*conditions: ColumnElement[bool]) -> Select[Any]:
    counts = [func.coalesce(func.sum(_batches.c[name]), 0).label(name) for name in _COUNTS]
    return (
        select(_jobs, _models.c.name.label("model"), *counts)
        .join(_models, _models.c.id == _jobs.c.model_id)
        .outerjoin(_batches, _batches.c.job_id == _jobs.c.id)
        .where(*conditions)
        .group_by(_jobs.c.id, _models.c.name)
    )


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        name=row.name,
        source=row.source,
        state=JobState(row.state),
        queue=QueueName(row.queue),
        triggered_by=Trigger(row.triggered_by),
        accounts=Accounts(row.found, int(row.scored), int(row.rejected), int(row.quarantined)),
        batches=row.batch_count,
        model=row.model,
        created_at=row.created_at,
        split=is_split(row.options),
        started_at=row.started_at,
        finished_at=row.finished_at,
        labelled=int(row.labelled),
        correct=int(row.correct),
        escalated=int(row.escalated),
        error=row.error,
        claim=row.claim,
    )
