"""Pruning: everything about jobs that ended long ago is removed, some batches at a time, and the accounts hold throughout."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, not_, select, update

from core import clock, tables
from core.database import Database
from core.ledger import runs
from core.ledger.jobs import UNENDED, UNFILED
from core.words import NoticeState

_jobs, _batches, _notices = tables.jobs, tables.batches, tables.notices

#: Images that one transaction removes, or those of one batch where they are more: some 50 ms for which others wait.
_IMAGES_AT_ONCE = 4096
#: Batches that it looks at for that.
_BATCHES_AT_ONCE = 64

#: Tables of what is known of a batch's images; `batches` itself goes after them.
_OF_BATCHES = (
    tables.corrections,
    tables.review_leases,
    tables.shadow_predictions,
    tables.predictions,
    tables.rejections,
    tables.confusion,
    tables.stamps,
)


class Kept(StrEnum):
    """Why a job is kept though it ended long ago; the first that holds is the one that is said."""

    #: People corrected images of it, from which training learns.
    CORRECTED = "corrected"
    #: By it an inbox in object storage knows which files it has scored; a schedule knows without.
    SCHEDULED = "scheduled"
    #: Its drop is not filed yet.
    UNFILED = "unfiled"
    #: A hook is still to be told of it.
    UNTOLD = "untold"
    #: It is the newest: on SQLite the next job would get its number.
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be removed."""

    #: How long ago a job ended at the least.
    older_than: timedelta
    #: Whether jobs go too of which people corrected images, and those corrections.
    with_corrections: bool = False
    #: Whether jobs go too by which an inbox in object storage knows what it has scored; it scores what still lies there
    #: anew.
    with_scheduled: bool = False


@dataclass(frozen=True, slots=True)
class Old:
    """A job that ended long ago."""

    id: int
    #: Images it still has.
    found: int
    #: None: it may be removed.
    kept: Kept | None


@dataclass(frozen=True, slots=True)
class Removed:
    """What one transaction removed."""

    images: int
    #: Whether the job went with its last batches.
    whole: bool


def old_jobs(database: Database, rule: Rule) -> list[Old]:
    """The jobs that ended long ago, the oldest first, and which of them are kept."""
    chosen = select(_jobs.c.id, _jobs.c.found, _why_kept(rule).label("kept")).where(_is_old(rule))
    with database.read() as connection:
        rows = connection.execute(chosen.order_by(_jobs.c.id))
        return [Old(row.id, row.found, Kept(row.kept) if row.kept is not None else None) for row in rows]


def prune_some(database: Database, rule: Rule, job_id: int) -> Removed | None:
    """Remove some batches of a job, and the job itself with the last of them, in one transaction.

    What is left of a job is a smaller one whose accounts balance, so that it may stop after any of these.

    Args:
        database: the ledger.
        rule: what may be removed; whether it still allows this is looked at anew.
        job_id: the job.

    Returns:
        What went; None where the job is gone, or may not be removed any more.
    """
    with database.begin() as connection:
        # The job first, as where it is retried, and then its batches, which nobody can correct from then on.
        locked = select(_jobs.c.id).where(_jobs.c.id == job_id, _is_old(rule)).with_for_update()
        if connection.execute(locked).first() is None:
            return None
        sizes, whole = _some_batches(connection, job_id)
        kept = select(_why_kept(rule)).where(_jobs.c.id == job_id)
        if connection.execute(kept).scalar_one() is not None:
            return None
        images = sum(sizes.values())
        # Before anything of theirs is locked that a run of the schedule locks after its row.
        runs.keep_known(connection, sizes)
        _remove(connection, sizes)
        if whole:
            _remove_job(connection, job_id)
        else:
            smaller = {"found": _jobs.c.found - images, "batch_count": _jobs.c.batch_count - len(sizes)}
            connection.execute(update(_jobs).where(_jobs.c.id == job_id).values(smaller))
    return Removed(images, whole)


def _some_batches(connection: Connection, job_id: int) -> tuple[dict[int, int], bool]:
    """The first batches of a job and their images, locked; and whether they are all that it has."""
    of_job = select(_batches.c.id, _batches.c.size).where(_batches.c.job_id == job_id).order_by(_batches.c.id)
    rows = connection.execute(of_job.limit(_BATCHES_AT_ONCE + 1).with_for_update()).all()
    sizes: dict[int, int] = {}
    for row in rows[:_BATCHES_AT_ONCE]:
        if sizes and sum(sizes.values()) + row.size > _IMAGES_AT_ONCE:
            break
        sizes[row.id] = row.size
    return sizes, len(sizes) == len(rows)


def _remove(connection: Connection, batch_ids: Collection[int]) -> None:
    for table in _OF_BATCHES:
        connection.execute(delete(table).where(table.c.batch_id.in_(batch_ids)))
    connection.execute(delete(_batches).where(_batches.c.id.in_(batch_ids)))


def _remove_job(connection: Connection, job_id: int) -> None:
    connection.execute(delete(_notices).where(_notices.c.job_id == job_id))
    last = tables.schedules.c.job_id == job_id
    connection.execute(update(tables.schedules).where(last).values(job_id=None))
    connection.execute(delete(_jobs).where(_jobs.c.id == job_id))


def _is_old(rule: Rule) -> ColumnElement[bool]:
    long_ago = clock.seconds_from_now(-rule.older_than.total_seconds())
    return and_(_jobs.c.state.not_in(UNENDED), _jobs.c.finished_at < long_ago)


def _why_kept(rule: Rule) -> ColumnElement[str | None]:
    """SQL NULL where the job may be removed."""
    of_job = _batches.c.job_id == _jobs.c.id
    newer = _jobs.alias("newer")
    told = and_(_notices.c.job_id == _jobs.c.id, _notices.c.state == NoticeState.WAITING.value)
    reasons = {
        Kept.CORRECTED: exists().where(of_job, tables.corrections.c.batch_id == _batches.c.id),
        Kept.SCHEDULED: _jobs.c.claim.startswith("s3://"),
        Kept.UNFILED: and_(*UNFILED),
        Kept.UNTOLD: exists().where(told),
        Kept.NEWEST: not_(exists().where(newer.c.id > _jobs.c.id)),
    }
    if rule.with_corrections:
        del reasons[Kept.CORRECTED]
    if rule.with_scheduled:
        del reasons[Kept.SCHEDULED]
    return case(*((condition, why.value) for why, condition in reasons.items()), else_=None)
