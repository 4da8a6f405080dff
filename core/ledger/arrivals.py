"""Has a drop become a job yet? Asked by whoever handed it to the inbox, who knows its name alone."""

from __future__ import annotations

from sqlalchemy import func, select

from core import tables
from core.database import Database
from core.vocabulary import Trigger

_jobs = tables.jobs.c


def newest_job(database: Database) -> int:
    """The number of the newest job, 0 where there is none."""
    with database.read() as connection:
        return connection.scalar(select(func.max(_jobs.id))) or 0


def job_named(database: Database, name: str, *, after: int) -> int | None:
    """The first job of the inbox of that name that is newer than the job `after`, if there is one by now."""
    of_name = (_jobs.id > after, _jobs.name == name, _jobs.triggered_by == Trigger.INBOX.value)
    with database.read() as connection:
        found: int | None = connection.scalar(select(func.min(_jobs.id)).where(*of_name))
        return found
