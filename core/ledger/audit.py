"""Is the ledger in order? Its counts against its rows, and what nobody works on though somebody should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Select, Subquery, Table, and_, func, or_, select

from core import clock, tables
from core.database import Database
from core.ledger.jobs import TROUBLE, UNENDED
from core.ledger.pauses import line_is_paused
from core.vocabulary import BatchState, QueueName, Reason

_jobs, _batches = tables.jobs, tables.batches
_predictions, _rejections, _confusion = tables.predictions, tables.rejections, tables.confusion


def miscounted(database: Database) -> list[int]:
    """Jobs with a batch whose counts are not those of its rows; there should never be one. Reads every row."""
    quarantined = _rejections.c.reason == Reason.QUARANTINED.value
    counts: Mapping[str, tuple[Subquery, ColumnElement[int]]] = {
        "scored": _by_batch(_predictions, func.count()),
        "rejected": _by_batch(_rejections, func.count(), ~quarantined),
        "quarantined": _by_batch(_rejections, func.count(), quarantined),
    }
    labelled = (
        _by_batch(_predictions, func.count(), _predictions.c.true_label.is_not(None)),
        _by_batch(_rejections, func.count(), _rejections.c.true_label.is_not(None)),
    )
    cells, celled = _by_batch(_confusion, func.sum(_confusion.c.count))
    wrong = [_batches.c[name] != count for name, (_, count) in counts.items()]
    wrong.append(celled != sum((count for _, count in labelled), start=0))
    chosen: Select[tuple[int]] = select(_batches.c.job_id).distinct()
    joined = _batches.join(cells, cells.c.batch_id == _batches.c.id, isouter=True)
    for table, _ in (*counts.values(), *labelled):
        joined = joined.join(table, table.c.batch_id == _batches.c.id, isouter=True)
    with database.read() as connection:
        return list(connection.scalars(chosen.select_from(joined).where(or_(*wrong)).order_by(_batches.c.job_id)))


def left_alone(
    database: Database, seconds: float, waiting: Collection[int], idle: Collection[QueueName] = ()
) -> dict[int, int]:
    """Batches that nobody has taken up for so long: their lease ran out, or Redis does not hold their message.

    Args:
        database: the ledger.
        seconds: within which a sweep should have looked after each.
        waiting: ids of the batches that Redis holds.
        idle: queues without a message, so that what was never sent need not wait for its turn.

    Returns:
        By job, how many; those of paused jobs, or of a line that is paused, wait for a person and are in none.
    """
    long_ago = clock.seconds_from_now(-seconds)
    ran_out = and_(_batches.c.state == BatchState.LEASED.value, _batches.c.lease_until < long_ago)
    has_its_turn = or_(~_batches.c.unsent, _jobs.c.queue.in_([queue.value for queue in idle]))
    lost = and_(_batches.c.state == BatchState.QUEUED.value, _batches.c.sent_at < long_ago, has_its_turn)
    open_job = and_(_jobs.c.state.in_(UNENDED), _jobs.c.paused_at.is_(None), ~line_is_paused())
    chosen = (
        select(_batches.c.id, _batches.c.job_id)
        .join(_jobs, _jobs.c.id == _batches.c.job_id)
        .where(open_job, or_(ran_out, lost))
        .order_by(_batches.c.job_id)
    )
    with database.read() as connection:
        return dict(Counter(row.job_id for row in connection.execute(chosen) if row.id not in waiting))


def paused(database: Database) -> list[int]:
    """Jobs that wait for a person."""
    chosen = select(_jobs.c.id).where(_jobs.c.paused_at.is_not(None)).order_by(_jobs.c.id)
    with database.read() as connection:
        return list(connection.scalars(chosen))


def troubled(database: Database) -> dict[int, str]:
    """What went wrong in the last attempt at a batch that is still open, by job."""
    chosen = (
        select(_batches.c.job_id, TROUBLE)
        .join(_jobs, _jobs.c.id == _batches.c.job_id)
        .where(_jobs.c.state.in_(UNENDED))
        .group_by(_batches.c.job_id)
        .having(TROUBLE.is_not(None))
        .order_by(_batches.c.job_id)
    )
    with database.read() as connection:
        return {job_id: str(error) for job_id, error in connection.execute(chosen)}


def _by_batch(
    table: Table, counted: ColumnElement[int], *conditions: ColumnElement[bool]
) -> tuple[Subquery, ColumnElement[int]]:
    """Rows by batch, and their number where a batch may have none."""
    rows = select(table.c.batch_id, counted.label("number")).where(*conditions).group_by(table.c.batch_id).subquery()
    return rows, func.coalesce(rows.c.number, 0)
