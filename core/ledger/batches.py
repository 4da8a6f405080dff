"""Batches: claimed under a lease, renewed, recorded in one transaction, released."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)

from core import clock, tables
from core.database import Database
from core.errors import StaleLease
from core.ledger import endings, outcomes, shadows
from core.ledger import jobs as job_ledger
from core.ledger import models as model_ledger
from core.ledger.pauses import batch_is_paused
from core.ledger.shadows import Shadow
from core.vocabulary import (
    WAIT,
    Batch,
    BatchState,
    JobState,
    Lease,
    Manifest,
    Outcome,
    QueueName,
)

_jobs, _batches = tables.jobs, tables.batches


def claim(
    database: Database, batch_id: int, *, worker: str, lease_time: float, max_attempts: int
) -> Lease | BatchState | Literal[JobState.PAUSED]:
    """Take the right to record a batch, in one statement; the attempt counts from here, whatever happens next.

    Args:
        batch_id: the batch.
        worker: name of the worker, for people to read.
        lease_time: seconds until another worker may take over.
        max_attempts: attempts after which nobody may try again.

    Returns:
        The lease; or what stands in the way: the state of the batch, or that its job or the whole line is paused.
    """
    token = secrets.token_hex(16)
    asked = {"batch": batch_id, "token": token, "by": worker, "seconds": lease_time, "most": max_attempts}
    with database.begin() as connection:
        if connection.execute(_take(), asked).rowcount != 1:
            return _in_the_way(connection, batch_id)
        row = connection.execute(_taken(), {"batch": batch_id}).one()
        if row.job_state == JobState.QUEUED.value:
            _start(connection, row.job_id)
        challenger = model_ledger.challenger_and_share(connection)
    manifest = Manifest(row.manifest["paths"], row.manifest["true_labels"])
    split = job_ledger.is_split(row.options)
    waited = (row.started_at - row.sent_at).total_seconds()
    return Lease(as_batch(row), token, row.attempts, row.source, manifest, split, *challenger, waited)


def renew(database: Database, lease: Lease, lease_time: float) -> None:
    """Move the end of a lease to `lease_time` seconds from now.

    Raises:
        StaleLease: somebody else took the batch over.
    """
    with database.begin() as connection:
        until = {"lease_until": clock.seconds_from_now(lease_time)}
        renewed = connection.execute(update(_batches).where(_held()).values(until), _holder(lease))
        _only_holder(renewed.rowcount, lease)


def release(database: Database, lease: Lease, error: str, *, blameless: bool = False) -> None:
    """Give an unfinished batch back, so that the sweep sends it again soon; a stale lease is left alone.

    Args:
        database: the ledger.
        lease: of the batch.
        error: what went wrong, for people.
        blameless: the batch had no part in it, as where its worker was told to stop; the attempt does not count.
    """
    attempts = _batches.c.attempts - (1 if blameless else 0)
    # As if sent now: what fails at once must not come back at once.
    free = {"state": BatchState.QUEUED.value, "attempts": attempts, "error": error, "sent_at": clock.now(), **NO_LEASE}
    with database.begin() as connection:
        connection.execute(update(_batches).where(_held()).values(free), _holder(lease))


def finish(database: Database, lease: Lease, outcome: Outcome, shadow: Shadow | None = None) -> None:
    """Record everything about a batch in one transaction, and close the job with its last batch.

    Args:
        database: the ledger.
        lease: of the batch.
        outcome: what was found out.
        shadow: what the challenger says of the scored images, where it was asked.

    Raises:
        StaleLease: somebody else took the batch over; nothing was written.
    """
    started = time.perf_counter()
    batch = lease.batch
    with database.begin() as connection:
        _only_holder(len(connection.execute(_lock(), _holder(lease)).all()), lease)
        outcomes.insert_outcome(connection, batch.id, outcome)
        if shadow is not None:
            shadows.insert_shadow(connection, batch.id, outcome, shadow)
        timings = {WAIT: lease.waited, **outcome.timings, "record": time.perf_counter() - started}
        ended = {"batch": batch.id, "took": timings, **outcomes.counts(outcome)}
        # One update: with a second one, PostgreSQL would look up the job anew, for the row is this transaction's own.
        connection.execute(_end(), ended)
        endings.settle(connection, batch.job_id)


def of_job(database: Database, job_id: int) -> list[Batch]:
    """The job's batches, in order."""
    return _in_order(database, _of_job(), job_id)


def to_announce(database: Database, job_id: int) -> list[Batch]:
    """The batches of a new job that are marked as sent, in order; their messages are still to be sent."""
    return _in_order(database, _marked_as_sent(), job_id)


def paths_of_job(database: Database, job_id: int) -> Iterator[str]:
    """Every path that was listed when the job was made, whatever became of it; read a batch at a time."""
    for batch in of_job(database, job_id):
        with database.read() as connection:
            manifest = connection.execute(select(_batches.c.manifest).where(_batches.c.id == batch.id)).scalar_one()
        yield from manifest["paths"]


# Once for all: SQLAlchemy takes longer to put the statements of a claim and of an end together than SQLite to run them.
@cache
def _take() -> Update:
    free = or_(_batches.c.state == BatchState.QUEUED.value, lease_ran_out())
    mine = (_batches.c.id == bindparam("batch"), free, _batches.c.attempts < bindparam("most"), ~batch_is_paused())
    taken = {
        "state": BatchState.LEASED.value,
        "attempts": _batches.c.attempts + 1,
        "lease_token": bindparam("token"),
        "lease_until": clock.from_now(bindparam("seconds", type_=Float)),
        "worker": bindparam("by"),
        "started_at": clock.now(),
        "unsent": False,
    }
    return update(_batches).where(*mine).values(taken)


@cache
def _taken() -> Select[Any]:
    return select_batches(_batches.c.id == bindparam("batch"), _jobs.c.state.label("job_state"), with_manifest=True)


def _in_order(database: Database, chosen: Select[Any], job_id: int) -> list[Batch]:
    with database.read() as connection:
        return [as_batch(row) for row in connection.execute(chosen, {"job": job_id})]


@cache
def _of_job() -> Select[Any]:
    return select_batches(_batches.c.job_id == bindparam("job")).order_by(_batches.c.sequence)


@cache
def _marked_as_sent() -> Select[Any]:
    return _of_job().where(_batches.c.state == BatchState.QUEUED.value, ~_batches.c.unsent)


@cache
def _lock() -> Select[Any]:
    return select(_batches.c.id).where(_held()).with_for_update(key_share=True)


@cache
def _end() -> Update:
    ended = {"state": BatchState.DONE.value, "timings": bindparam("took"), "finished_at": clock.now(), **NO_LEASE}
    counts: dict[str, Any] = {name: bindparam(name) for name in outcomes.COUNTS}
    return update(_batches).where(_batches.c.id == bindparam("batch")).values({**ended, **counts})


def _start(connection: Connection, job_id: int) -> None:
    """Let a job run; where it is a retry, it started long ago."""
    connection.execute(_started(), {"job": job_id})


@cache
def _started() -> Update:
    started = {"state": JobState.RUNNING.value, "started_at": func.coalesce(_jobs.c.started_at, clock.now())}
    queued = and_(_jobs.c.id == bindparam("job"), _jobs.c.state == JobState.QUEUED.value)
    return update(_jobs).where(queued).values(started)


#: Of a batch that nobody works on.
NO_LEASE: Mapping[str, None] = {"lease_token": None, "lease_until": None}


def _in_the_way(connection: Connection, batch_id: int) -> BatchState | Literal[JobState.PAUSED]:
    """Why a batch cannot be claimed; one that is not there counts as cancelled."""
    chosen = select(_batches.c.state, batch_is_paused().label("paused")).where(_batches.c.id == batch_id)
    row = connection.execute(chosen).one_or_none()
    if row is not None and row.paused:
        return JobState.PAUSED
    return BatchState.CANCELLED if row is None else BatchState(row.state)


def lease_ran_out() -> ColumnElement[bool]:
    """True of a batch that another worker may take over."""
    return and_(_batches.c.state == BatchState.LEASED.value, _batches.c.lease_until < clock.now())


def _held() -> ColumnElement[bool]:
    return and_(_batches.c.id == bindparam("batch"), _batches.c.lease_token == bindparam("token"))


def _holder(lease: Lease) -> dict[str, Any]:
    """What `_held` asks about."""
    return {"batch": lease.batch.id, "token": lease.token}


def _only_holder(rows: int, lease: Lease) -> None:
    if rows != 1:
        raise StaleLease(f"Batch {lease.batch.id} was taken over by another worker; nothing was written.")


def select_batches(
    condition: ColumnElement[bool], *more: ColumnElement[Any], with_manifest: bool = False
) -> Select[Any]:
    """Batches with what a `Batch` says of their job.

    Args:
        condition: which.
        more: columns that are wanted besides.
        with_manifest: whether the manifest and the options of the job are wanted, too.
    """
    columns: list[Any] = [*more, *(column for column in _batches.c if column.name != "manifest")]
    if with_manifest:
        columns += (_batches.c.manifest, _jobs.c.options)
    of_job = (_jobs.c.name.label("job_name"), _jobs.c.batch_count, _jobs.c.queue, _jobs.c.model_id, _jobs.c.source)
    return select(*columns, *of_job).join(_jobs, _jobs.c.id == _batches.c.job_id).where(condition)


def as_batch(row: Row[Any]) -> Batch:
    """The batch of a row of `select_batches`."""
    return Batch(
        id=row.id,
        job_id=row.job_id,
        job_name=row.job_name,
        sequence=row.sequence,
        of=row.batch_count,
        queue=QueueName(row.queue),
        size=row.size,
        model_id=row.model_id,
    )
