"""What people do to a job that is there: cancel it, pause it, let it go on, move it, give it a new chance."""

from __future__ import annotations

from sqlalchemy import and_, delete, null, or_, select, update

from core import clock, tables
from core.database import Database
from core.errors import IllegalTransition
from core.ledger import notices, pauses
from core.ledger.jobs import OPEN, UNENDED, get, read, with_max_rejected
from core.vocabulary import BatchState, Job, JobState

_jobs, _batches = tables.jobs, tables.batches


def cancel(database: Database, job: Job) -> Job:
    """Stop a job; what is scored stays scored, what is open stays open for ever.

    Raises:
        IllegalTransition: the job has ended already.
    """
    open_batches = and_(_batches.c.job_id == job.id, _batches.c.state.in_(OPEN))
    released = {"state": BatchState.CANCELLED.value, "lease_token": None, "lease_until": None}
    stopped = {
        "state": JobState.CANCELLED.value,
        "error": "cancelled by hand",
        "finished_at": clock.now(),
        "paused_at": None,
        "paused_by": None,
    }
    with database.begin() as connection:
        # Batches before their job and in one order, as everywhere, or this and a worker or a sweep wait for each other.
        connection.execute(select(_batches.c.id).where(open_batches).order_by(_batches.c.id).with_for_update())
        connection.execute(update(_batches).where(open_batches).values(released))
        open_job = and_(_jobs.c.id == job.id, _jobs.c.state.in_(UNENDED))
        if connection.execute(update(_jobs).where(open_job).values(stopped)).rowcount != 1:
            raise IllegalTransition(f"Job {job.id} has ended already; it cannot be cancelled.")
        notices.announce(connection, job.id)
    return get(database, job.id)


def pause(database: Database, job: Job, *, by: str, reason: str | None = None) -> Job:
    """Let nothing more of a job be claimed until it is resumed; what is being scored ends, and may end the job.

    Args:
        database: the ledger.
        job: which.
        by: who says so.
        reason: why, for people.

    Raises:
        IllegalTransition: the job has ended, or is paused already.
    """
    with database.begin() as connection:
        running = (_jobs.c.id == job.id, _jobs.c.state.in_(UNENDED), _jobs.c.paused_at.is_(None))
        paused = {"paused_at": clock.now(), "paused_by": by, "error": pauses.why(by, reason)}
        if connection.execute(update(_jobs).where(*running).values(paused)).rowcount == 1:
            notices.announce(connection, job.id)
            return read(connection, job.id)
    raise IllegalTransition(f"Job {job.id} is {get(database, job.id).state} already; it cannot be paused.")


def set_priority(database: Database, job: Job, priority: int) -> Job:
    """Let what waits of a job be sent before that of every job of a lower priority, from now on.

    Args:
        database: the ledger.
        job: which.
        priority: one of `PRIORITIES`.

    Raises:
        IllegalTransition: the job has ended.
    """
    with database.begin() as connection:
        unended = (_jobs.c.id == job.id, _jobs.c.state.in_(UNENDED))
        if connection.execute(update(_jobs).where(*unended).values(priority=priority)).rowcount == 1:
            return read(connection, job.id)
    raise IllegalTransition(f"Job {job.id} has ended; nothing of it waits.")


def resume(database: Database, job: Job, *, max_rejected: float | None = None) -> Job:
    """Let a paused job go on.

    Args:
        database: the ledger.
        job: which.
        max_rejected: its failure budget from now on, 0 to 1; None: it has none any more, but keeps the one that it has
            where a person paused it.

    Raises:
        IllegalTransition: the job is not paused.
    """
    with database.begin() as connection:
        paused = (_jobs.c.id == job.id, _jobs.c.paused_at.is_not(None))
        chosen = select(_jobs.c.options, _jobs.c.paused_by).where(*paused).with_for_update()
        row = connection.execute(chosen).one_or_none()
        if row is None:
            raise IllegalTransition(f"Job {job.id} is {job.state}, not paused.")
        keeps = row.paused_by is not None and max_rejected is None
        options = row.options if keeps else with_max_rejected(row.options, max_rejected)
        going_on = {"paused_at": None, "paused_by": None, "error": None, "options": options}
        connection.execute(update(_jobs).where(*paused).values(going_on))
    return get(database, job.id)


def retry(database: Database, job: Job) -> Job:
    """Give every batch of a job that was cancelled, or of which an image was quarantined, a new chance.

    Such a batch is scored anew as a whole.

    Raises:
        IllegalTransition: the job has not ended, or has nothing to retry.
    """
    unfinished = or_(_batches.c.state == BatchState.CANCELLED.value, _batches.c.quarantined > 0)
    again = and_(_batches.c.job_id == job.id, unfinished)
    reset = {"state": BatchState.QUEUED.value, "attempts": 0, "error": None, "sent_at": clock.now(), **_NO_COUNTS}
    ended = and_(_jobs.c.id == job.id, _jobs.c.state.not_in(UNENDED))
    # Not only older than the next end, which a clock set back would belie.
    reopened = {"state": JobState.QUEUED.value, "error": None, "finished_at": None, "filed_at": None}
    with database.begin() as connection:
        # The job first: of two retries the second finds it open, and leaves alone what a worker has claimed since.
        if connection.execute(update(_jobs).where(ended).values(reopened)).rowcount != 1:
            raise IllegalTransition(f"Job {job.id} has not ended; only then can it be retried.")
        chosen = select(_batches.c.id).where(again)
        for table in (tables.predictions, tables.shadow_predictions, tables.rejections, tables.confusion):
            connection.execute(delete(table).where(table.c.batch_id.in_(chosen)))
        if connection.execute(update(_batches).where(again).values(reset)).rowcount == 0:
            raise IllegalTransition(f"Job {job.id} has nothing to retry: no image of it is quarantined or open.")
    return get(database, job.id)


_NO_COUNTS = {
    **dict.fromkeys(("scored", "rejected", "quarantined", "labelled", "correct", "escalated"), 0),
    **dict.fromkeys(("verdicts", "reasons", "labels", "confidences", "confidence_sum"), null()),
}
