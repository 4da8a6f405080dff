"""Pauses: a job, or the whole line, waits for a person; what is under way ends, and nothing else is claimed or sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, insert, or_, select
from sqlalchemy.exc import IntegrityError

from core import clock, tables
from core.database import Database
from core.errors import IllegalTransition

_batches, _pauses = tables.batches, tables.pauses
#: Under a name of its own, to be asked about beside the job that a batch is joined with.
_paused = tables.jobs.alias("paused")


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when the whole line waits, by whose will, and why."""

    since: datetime
    by: str
    reason: str | None

    def __str__(self) -> str:
        return why(self.by, self.reason)


def why(by: str, reason: str | None) -> str:
    """Who paused it and for what reason, for people."""
    return f"paused by {by}" + (f": {reason}" if reason else "")


def pause_line(database: Database, *, by: str, reason: str | None = None) -> Pause:
    """Let nothing more of any job be claimed, of those to come neither.

    Args:
        database: the ledger.
        by: who says so.
        reason: why, for people.

    Raises:
        IllegalTransition: the line is paused already; it says by whom.
    """
    values = {"id": 1, "paused_at": clock.now(), "paused_by": by, "reason": reason}
    try:
        with database.begin() as connection:
            connection.execute(insert(_pauses).values(values))
    except IntegrityError as error:
        pause = of_line(database)
        raise IllegalTransition(f"The line is {pause or 'paused'} already.") from error
    pause = of_line(database)
    if pause is None:
        raise IllegalTransition("The line was resumed by somebody else just now.")
    return pause


def resume_line(database: Database) -> Pause:
    """Let the line go on; a job that is paused by itself stays so.

    Returns:
        The pause that is over.

    Raises:
        IllegalTransition: the line is not paused.
    """
    with database.begin() as connection:
        row = connection.execute(delete(_pauses).returning(*_COLUMNS)).one_or_none()
    if row is None:
        raise IllegalTransition("The line is not paused.")
    return Pause(*row)


def of_line(database: Database) -> Pause | None:
    """The pause of the whole line; None while it runs."""
    with database.read() as connection:
        row = connection.execute(select(*_COLUMNS)).one_or_none()
    return None if row is None else Pause(*row)


def line_is_paused() -> ColumnElement[bool]:
    """True while the whole line waits for a person."""
    return exists(select(_pauses.c.id))


def batch_is_paused() -> ColumnElement[bool]:
    """True while a batch waits for a person, with its job or with the whole line."""
    of_job = exists().where(_paused.c.id == _batches.c.job_id, _paused.c.paused_at.is_not(None))
    return or_(of_job, line_is_paused())


_COLUMNS = (_pauses.c.paused_at, _pauses.c.paused_by, _pauses.c.reason)
