"""A line with schedules that come due when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import update

from core import clock, tables
from core.database import Database
from core.ledger import models, schedules
from core.ledger.schedules import Plan, Schedule
from core.sources import to_url
from scheduler.producer import Line
from tests.conftest import MakeSettings

#: A cron expression that comes true once in four years, so that no test meets it.
SELDOM = "0 0 29 2 *"
FAR = datetime(2100, 1, 1, tzinfo=UTC)


@contextmanager
def scheduling(settings: MakeSettings, database_url: str, redis_url: str, folder: Path) -> Iterator[Line]:
    """A line with a model, whose schedulers look often and die at the points named in a folder."""
    chosen = settings(
        database_url=database_url,
        broker_url=redis_url,
        batch_size=2,
        express_limit=4,
        sweep_interval=0.05,
        scan_interval=0.05,
        crash_points=folder / "points",
    )
    with closing(Line.open(chosen)) as line:
        models.register(line.database, name="model", sha256="0" * 64, location="/nowhere", card={})
        yield line


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
