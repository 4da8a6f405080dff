"""Schedules that come due when a test says so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import update

from core import clock, tables
from core.database import Database
from core.ledger import schedules
from core.ledger.schedules import Plan, Schedule
from core.sources import to_url
from scheduler.producer import Line

#: A cron expression that comes true once in four years, so that no test meets it.
SELDOM = "0 0 29 2 *"
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def planned(line: Line, folder: Path, name: str = "nightly", **plan: object) -> Schedule:
    """A schedule that is not due."""
    return schedules.add(line.database, Plan(name, to_url(folder), SELDOM, **plan), FAR)  # type: ignore[arg-type]


def make_due(database: Database, *names: str, ago: float = 1.0) -> None:
    """Put back the time of schedules, by the database's clock; by default of all of them."""
    chosen = tables.schedules.c.name.in_(names) if names else tables.schedules.c.id > 0
    with database.begin() as connection:
        due = clock.seconds_from_now(-ago)
        connection.execute(update(tables.schedules).where(chosen).values(next_at=due))


def nightly(line: Line) -> Schedule:
    """The schedule of that name, as it stands."""
    return schedules.find(line.database, "nightly")
