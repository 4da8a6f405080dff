"""Batches: claimed under a lease, renewed, recorded in one transaction, released, sent again, quarantined."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
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
    exists,
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
from core.ledger.shadows import Shadow
from core.vocabulary import (
    WAIT,
    Batch,
    BatchState,
    Cell,
    JobState,
    Lease,
    Manifest,
    Outcome,
    QueueName,
    Reason,
    Rejection,
)

_jobs, _batches = tables.jobs, tables.batches
#: Under a name of its own, to be asked about beside the job that a batch is joined with.
_paused = _jobs.alias("paused")


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
        The lease; or the state in which the batch or its job is and which stands in the way.
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
    return Lease(_batch(row), token, row.attempts, row.source, manifest, split, *challenger, waited)


def renew(database: Database, lease: Lease, lease_time: float) -> None:
    """Move the end of a lease to `lease_time` seconds from now.

    Raises:
        StaleLease: somebody else took the batch over.
    """
    with database.begin() as connection:
        until = {"lease_until": clock.seconds_from_now(lease_time)}
        _only_holder(connection.execute(update(_batches).where(_held(lease)).values(until)).rowcount, lease)


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
    free = {"state": BatchState.QUEUED.value, "attempts": attempts, "error": error, "sent_at": clock.now(), **_NO_LEASE}
    with database.begin() as connection:
        connection.execute(update(_batches).where(_held(lease)).values(free))


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
        held = select(_batches.c.id).where(_held(lease)).with_for_update(key_share=True)
        _only_holder(len(connection.execute(held).all()), lease)
        outcomes.insert_outcome(connection, batch.id, outcome)
        if shadow is not None:
            shadows.insert_shadow(connection, batch.id, outcome, shadow)
        timings = {WAIT: lease.waited, **outcome.timings, "record": time.perf_counter() - started}
        ended = {"state": BatchState.DONE.value, "timings": timings, "finished_at": clock.now()}
        # One update: with a second one, PostgreSQL would look up the job anew, for the row is this transaction's own.
        chosen = update(_batches).where(_batches.c.id == batch.id)
        connection.execute(chosen.values({**ended, **outcomes.counts(outcome), **_NO_LEASE}))
        endings.settle(connection, batch.job_id)


def of_job(database: Database, job_id: int) -> list[Batch]:
    """The job's batches, in order."""
    with database.read() as connection:
        rows = connection.execute(_select_batches(_batches.c.job_id == job_id).order_by(_batches.c.sequence))
        return [_batch(row) for row in rows]


def paths_of_job(database: Database, job_id: int) -> Iterator[str]:
    """Every path that was listed when the job was made, whatever became of it; read a batch at a time."""
    for batch in of_job(database, job_id):
        with database.read() as connection:
            manifest = connection.execute(select(_batches.c.manifest).where(_batches.c.id == batch.id)).scalar_one()
        yield from manifest["paths"]


def to_send_again(
    database: Database,
    waiting: Collection[int],
    resend_after: float,
    *,
    held: Collection[int] = (),
    held_for: float = 0.0,
    limit: int = 500,
) -> list[Batch]:
    """Queued batches that Redis has lost, and mark them as sent: of two sweeps, one gets each batch.

    Args:
        database: the ledger.
        waiting: ids of the batches whose message waits in a queue.
        resend_after: seconds since the last sending before a batch counts as lost.
        held: ids of the batches whose message is in the hands of a worker, which may be dead.
        held_for: seconds since the last sending for which such a worker is trusted.
        limit: batches at the most; a transaction that marks a million would keep every worker waiting.
    """
    queued = and_(_batches.c.state == BatchState.QUEUED.value, ~_job_is_paused())
    overdue = and_(queued, _batches.c.sent_at < clock.seconds_from_now(-resend_after))
    distrusted = _batches.c.sent_at < clock.seconds_from_now(-held_for)
    chosen = select(_batches.c.id, distrusted.label("distrusted")).where(overdue).order_by(_batches.c.id)
    with database.read() as connection:
        rows = connection.execute(chosen)
        lost = [row.id for row in rows if row.id not in waiting and (row.distrusted or row.id not in held)][:limit]
    if not lost:
        return []
    with database.begin() as connection:
        mine = [batch_id for batch_id in lost if _mark_sent(connection, batch_id, overdue)]
        return [
            _batch(row) for row in connection.execute(_select_batches(_batches.c.id.in_(mine)).order_by(_batches.c.id))
        ]


def take_back_overdue(database: Database, max_attempts: int) -> list[int]:
    """Queue every batch whose lease ran out and that may be tried again; returns their ids."""
    again = and_(_lease_ran_out(), _batches.c.attempts < max_attempts)
    queued = {"state": BatchState.QUEUED.value, "error": "its worker did not finish in time", **_NO_LEASE}
    with database.begin() as connection:
        # In one order, or this and a job that is cancelled wait for each other.
        connection.execute(select(_batches.c.id).where(again).order_by(_batches.c.id).with_for_update())
        taken = connection.scalars(update(_batches).where(again).values(queued).returning(_batches.c.id)).all()
    return list(taken)


def quarantine_exhausted(database: Database, max_attempts: int) -> list[int]:
    """Give up every batch that was tried too often: each image gets a row that says so; returns the batches' ids."""
    unowned = or_(_batches.c.state == BatchState.QUEUED.value, _lease_ran_out())
    exhausted = and_(unowned, _batches.c.attempts >= max_attempts)
    with database.begin() as connection:
        # In the order of the jobs, which are locked one after the other, or two sweeps wait for each other.
        chosen = _select_batches(exhausted, with_manifest=True).order_by(_batches.c.job_id, _batches.c.id)
        rows = connection.execute(chosen.with_for_update(of=_batches)).all()
        for row in rows:
            _quarantine(connection, row)
            endings.settle(connection, row.job_id)
    return [row.id for row in rows]


@cache  # once for all: SQLAlchemy takes longer to put the statements of a claim together than SQLite to run them
def _take() -> Update:
    free = or_(_batches.c.state == BatchState.QUEUED.value, _lease_ran_out())
    mine = (_batches.c.id == bindparam("batch"), free, _batches.c.attempts < bindparam("most"), ~_job_is_paused())
    taken = {
        "state": BatchState.LEASED.value,
        "attempts": _batches.c.attempts + 1,
        "lease_token": bindparam("token"),
        "lease_until": clock.from_now(bindparam("seconds", type_=Float)),
        "worker": bindparam("by"),
        "started_at": clock.now(),
    }
    return update(_batches).where(*mine).values(taken)


@cache
def _taken() -> Select[Any]:
    return _select_batches(_batches.c.id == bindparam("batch"), _jobs.c.state.label("job_state"), with_manifest=True)


def _start(connection: Connection, job_id: int) -> None:
    """Let a job run; where it is a retry, it started long ago."""
    started = {"state": JobState.RUNNING.value, "started_at": func.coalesce(_jobs.c.started_at, clock.now())}
    queued = and_(_jobs.c.id == job_id, _jobs.c.state == JobState.QUEUED.value)
    connection.execute(update(_jobs).where(queued).values(started))


_NO_LEASE: Mapping[str, None] = {"lease_token": None, "lease_until": None}


def _job_is_paused() -> ColumnElement[bool]:
    return exists().where(_paused.c.id == _batches.c.job_id, _paused.c.paused_at.is_not(None))


def _in_the_way(connection: Connection, batch_id: int) -> BatchState | Literal[JobState.PAUSED]:
    """Why a batch cannot be claimed; one that is not there counts as cancelled."""
    chosen = select(_batches.c.state, _job_is_paused().label("paused")).where(_batches.c.id == batch_id)
    row = connection.execute(chosen).one_or_none()
    if row is not None and row.paused:
        return JobState.PAUSED
    return BatchState.CANCELLED if row is None else BatchState(row.state)


def _lease_ran_out() -> ColumnElement[bool]:
    return and_(_batches.c.state == BatchState.LEASED.value, _batches.c.lease_until < clock.now())


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(_batches.c.id == lease.batch.id, _batches.c.lease_token == lease.token)


def _only_holder(rows: int, lease: Lease) -> None:
    if rows != 1:
        raise StaleLease(f"Batch {lease.batch.id} was taken over by another worker; nothing was written.")


def _mark_sent(connection: Connection, batch_id: int, condition: ColumnElement[bool]) -> bool:
    chosen = update(_batches).where(_batches.c.id == batch_id, condition).values(sent_at=clock.now())
    return connection.execute(chosen).rowcount == 1


def _quarantine(connection: Connection, row: Row[Any]) -> None:
    manifest = Manifest(row.manifest["paths"], row.manifest["true_labels"])
    why = f"its batch was given up after {row.attempts} attempts: {row.error or 'its worker did not finish in time'}"
    rejections = [
        Rejection(position, path, Reason.QUARANTINED, why, manifest.true_label(position))
        for position, path in enumerate(manifest.paths)
    ]
    unread = Counter(rejection.true_label for rejection in rejections if rejection.true_label is not None)
    outcomes.insert_rejections(connection, row.id, rejections)
    outcomes.insert_confusion(connection, row.id, [Cell(actual, None, count) for actual, count in unread.items()])
    counts = {"quarantined": row.size, "verdicts": {}, "reasons": {Reason.QUARANTINED.value: row.size}}
    values = {"state": BatchState.QUARANTINED.value, **counts, "finished_at": clock.now(), **_NO_LEASE}
    connection.execute(update(_batches).where(_batches.c.id == row.id).values(values))


def _select_batches(
    condition: ColumnElement[bool], *more: ColumnElement[Any], with_manifest: bool = False
) -> Select[Any]:
    columns: list[Any] = [*more, *(column for column in _batches.c if column.name != "manifest")]
    if with_manifest:
        columns += (_batches.c.manifest, _jobs.c.options)
    of_job = (_jobs.c.name.label("job_name"), _jobs.c.batch_count, _jobs.c.queue, _jobs.c.model_id, _jobs.c.source)
    return select(*columns, *of_job).join(_jobs, _jobs.c.id == _batches.c.job_id).where(condition)


def _batch(row: Row[Any]) -> Batch:
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
