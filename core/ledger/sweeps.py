"""What only a sweep does to batches: choose what is sent next, take back what ran out, quarantine what kills workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, or_, select, update

from core import clock, tables
from core.database import Database
from core.ledger import endings, outcomes
from core.ledger.batches import NO_LEASE, as_batch, lease_ran_out, select_batches
from core.ledger.pauses import batch_is_paused
from core.vocabulary import Batch, BatchState, Cell, Manifest, QueueName, Reason, Rejection

_jobs, _batches = tables.jobs, tables.batches

#: Batches that are marked as sent at once; a transaction that marks a million would keep every worker waiting.
PORTION = 500


@dataclass(frozen=True, slots=True)
class Messages:
    """What Redis holds, and from when on a batch whose message it does not hold counts as lost."""

    #: Ids of the batches whose message waits in a queue.
    waiting: Collection[int]
    #: Seconds since the last sending before a batch counts as lost.
    resend_after: float
    #: Ids of the batches whose message is in the hands of a worker, which may be dead.
    held: Collection[int] = ()
    #: Seconds since the last sending for which such a worker is trusted.
    held_for: float = 0.0

    def hold(self, row: Row[Any]) -> bool:
        """Whether somebody will find the message of a batch."""
        return row.id in self.waiting or (row.id in self.held and not row.distrusted)


class Due(NamedTuple):
    """Batches to be sent, in this order, and how many of them were sent before and lost."""

    batches: list[Batch]
    lost: int


def to_send(database: Database, queue: QueueName, limit: int, messages: Messages | None = None) -> Due:
    """Batches whose turn it is, and mark them as sent: of two who ask, one gets each batch.

    The highest priority of a job first, then the oldest batch.

    Args:
        database: the ledger.
        queue: for which.
        limit: batches at the most; more than a portion are not given at once.
        messages: what Redis holds; None: nobody looked, so that only what was never sent is chosen.
    """
    limit = min(limit, PORTION)
    waits = and_(_batches.c.state == BatchState.QUEUED.value, _is_due(messages), ~batch_is_paused())
    with database.read() as connection:
        rows = connection.execute(_in_turn(waits, queue, limit, messages)).all()
    chosen = [row for row in rows if messages is None or row.unsent or not messages.hold(row)][:limit]
    if not chosen:
        return Due([], 0)
    with database.begin() as connection:
        mine = _mark_sent(connection, [row.id for row in chosen], waits)
        sent = connection.execute(select_batches(_batches.c.id.in_(mine)).order_by(*_TURN))
        return Due([as_batch(row) for row in sent], sum(row.id in mine and not row.unsent for row in chosen))


def take_back_overdue(database: Database, max_attempts: int, *, outage: float = 0.0) -> list[int]:
    """Queue every batch whose lease ran out and that may be tried again.

    Args:
        database: the ledger.
        max_attempts: attempts after which nobody may try again.
        outage: seconds for which the ledger was away, or took nothing, until now: an attempt whose lease ran out
            meanwhile counts against nobody, for it could not be recorded nor given back.

    Returns:
        Their ids.
    """
    in_outage = _batches.c.lease_until > clock.seconds_from_now(-outage)
    again = and_(lease_ran_out(), or_(_batches.c.attempts < max_attempts, in_outage))
    attempts = case((in_outage, _batches.c.attempts - 1), else_=_batches.c.attempts)
    why = case((in_outage, "the ledger was away"), else_="its worker did not finish in time")
    queued = {"state": BatchState.QUEUED.value, "attempts": attempts, "error": why, **NO_LEASE}
    with database.begin() as connection:
        # In one order, or this and a job that is cancelled wait for each other.
        connection.execute(select(_batches.c.id).where(again).order_by(_batches.c.id).with_for_update())
        taken = connection.scalars(update(_batches).where(again).values(queued).returning(_batches.c.id)).all()
    return list(taken)


def quarantine_exhausted(database: Database, max_attempts: int) -> list[int]:
    """Give up every batch that was tried too often: each image gets a row that says so; returns the batches' ids."""
    unowned = or_(_batches.c.state == BatchState.QUEUED.value, lease_ran_out())
    exhausted = and_(unowned, _batches.c.attempts >= max_attempts)
    with database.begin() as connection:
        # In the order of the jobs, which are locked one after the other, or two sweeps wait for each other.
        chosen = select_batches(exhausted, with_manifest=True).order_by(_batches.c.job_id, _batches.c.id)
        rows = connection.execute(chosen.with_for_update(of=_batches)).all()
        for row in rows:
            _quarantine(connection, row)
            endings.settle(connection, row.job_id)
    return [row.id for row in rows]


#: Whose turn comes first.
_TURN = (_jobs.c.priority.desc(), _batches.c.id)


def _is_due(messages: Messages | None) -> ColumnElement[bool]:
    if messages is None:
        return _batches.c.unsent
    return or_(_batches.c.unsent, _batches.c.sent_at < clock.seconds_from_now(-messages.resend_after))


def _in_turn(
    waits: ColumnElement[bool], queue: QueueName, limit: int, messages: Messages | None
) -> Select[tuple[int, bool, bool]]:
    """As many of those that wait that `limit` of them are left where Redis holds the messages of all the others."""
    held_for, known = 0.0, 0
    if messages is not None:
        held_for, known = messages.held_for, len(messages.waiting) + len(messages.held)
    distrusted = _batches.c.sent_at < clock.seconds_from_now(-held_for)
    return (
        select(_batches.c.id, _batches.c.unsent, distrusted.label("distrusted"))
        .join(_jobs, _jobs.c.id == _batches.c.job_id)
        .where(waits, _jobs.c.queue == queue.value)
        .order_by(*_TURN)
        .limit(limit + known)
    )


def _mark_sent(connection: Connection, batch_ids: Collection[int], condition: ColumnElement[bool]) -> set[int]:
    """Mark those that still wait; returns their ids."""
    still = and_(_batches.c.id.in_(batch_ids), condition)
    # In one order, or two who send wait for each other.
    connection.execute(select(_batches.c.id).where(still).order_by(_batches.c.id).with_for_update())
    sent = {"sent_at": clock.now(), "unsent": False}
    return set(connection.scalars(update(_batches).where(still).values(sent).returning(_batches.c.id)))


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
    values = {"state": BatchState.QUARANTINED.value, **counts, "finished_at": clock.now(), **NO_LEASE}
    connection.execute(update(_batches).where(_batches.c.id == row.id).values(values))
