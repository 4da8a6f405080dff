"""Schedules: which folder is looked at when, how, and what came of it last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from core import clock, tables
from core.database import Database
from core.errors import ScheduleError, ScheduleNotFound
from core.vocabulary import Labels, Missed, QueueName

_schedules, _stamps = tables.schedules, tables.stamps


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody wants: which folder is scored when, and how."""

    name: str
    #: URL of the folder.
    source: str
    #: Five fields, as cron has them.
    cron: str
    #: Name of the zone, as the IANA has it, by whose clocks the fields are read.
    timezone: str = "UTC"
    missed: Missed = Missed.RUN_ONCE
    labels: Labels = Labels.AUTO
    #: None: `express` for few images, `bulk` for many.
    queue: QueueName | None = None
    #: Whether a picture of several digits is read as one string; None: as the settings say at each run.
    split: bool | None = None
    #: Failure budget of its jobs, 0 to 1; None: as the settings say at each run.
    max_rejected: float | None = None
    #: Of its jobs, one of `PRIORITIES`.
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan in the ledger, and what its last run found."""

    id: int
    plan: Plan
    created_at: datetime
    #: When it is due.
    next_at: datetime
    version: int
    #: When it last ran, by itself or by hand.
    ran_at: datetime | None = None
    #: Files to score in the folder at that run, and those that were submitted; None where it failed.
    found: int | None = None
    submitted: int | None = None
    #: The job of that run; None where nothing was new.
    job_id: int | None = None
    #: Why that run failed, one sentence.
    error: str | None = None
    #: The last time that was skipped.
    missed_at: datetime | None = None


def add(database: Database, plan: Plan, next_at: datetime, *, replace: bool = False) -> Schedule:
    """Write a plan.

    Args:
        database: the ledger.
        plan: what is wanted.
        next_at: when it is due first.
        replace: whether it takes the place of a schedule of its name, which remembers what it submitted unless the
            folder is another one.

    Raises:
        ScheduleError: there is a schedule of that name already.
    """
    try:
        with database.begin() as connection:
            if not (replace and _replaced(connection, plan, next_at)):
                values = {**_columns(plan), "next_at": next_at, "version": 0, "created_at": clock.now()}
                connection.execute(insert(_schedules).values(values))
    except IntegrityError as error:
        raise ScheduleError(
            f"There is a schedule {plan.name!r} already.",
            mend="Choose another name, or change that one with --replace.",
        ) from error
    return find(database, plan.name)


def every(database: Database) -> list[Schedule]:
    """All schedules, by name."""
    return _read(database)


def find(database: Database, name: str) -> Schedule:
    """The schedule of that name.

    Raises:
        ScheduleNotFound: there is none.
    """
    found = _read(database, _schedules.c.name == name)
    if not found:
        raise ScheduleNotFound(f"There is no schedule {name!r}.")
    return found[0]


def due(database: Database) -> list[Schedule]:
    """The schedules whose time has come, by the database's clock."""
    return _read(database, _schedules.c.next_at <= clock.now())


def remove(database: Database, name: str) -> None:
    """Forget a schedule and what it submitted; its jobs stay.

    Raises:
        ScheduleNotFound: there is none of that name.
    """
    schedule = find(database, name)
    with database.begin() as connection:
        # The schedule first, as everywhere: a run of it is over by then, or finds it gone.
        connection.execute(select(_schedules.c.id).where(_schedules.c.id == schedule.id).with_for_update())
        _forget_files(connection, schedule.id)
        connection.execute(delete(_schedules).where(_schedules.c.id == schedule.id))


def _replaced(connection: Connection, plan: Plan, next_at: datetime) -> bool:
    """Put a plan in the place of the one of its name; False where there is none."""
    named = _schedules.c.name == plan.name
    before = connection.execute(select(_schedules.c.id, _schedules.c.source).where(named).with_for_update()).first()
    if before is None:
        return False
    if before.source != plan.source:
        _forget_files(connection, before.id)
    values = {**_columns(plan), "next_at": next_at, "version": _schedules.c.version + 1}
    connection.execute(update(_schedules).where(_schedules.c.id == before.id).values(values))
    return True


def _forget_files(connection: Connection, schedule_id: int) -> None:
    for table in (_stamps, tables.known_files):
        connection.execute(delete(table).where(table.c.schedule_id == schedule_id))


def _read(database: Database, *conditions: ColumnElement[bool]) -> list[Schedule]:
    with database.read() as connection:
        rows = connection.execute(select(_schedules).where(*conditions).order_by(_schedules.c.name))
        return [_schedule(row) for row in rows]


def _columns(plan: Plan) -> dict[str, Any]:
    options = {
        "labels": plan.labels.value,
        "queue": None if plan.queue is None else plan.queue.value,
        "split": plan.split,
        "max_rejected": plan.max_rejected,
        "priority": plan.priority,
    }
    words = {name: getattr(plan, name) for name in ("name", "source", "cron", "timezone")}
    return {**words, "missed": plan.missed.value, "options": options}


def _schedule(row: Row[Any]) -> Schedule:
    options = row.options
    plan = Plan(
        name=row.name,
        source=row.source,
        cron=row.cron,
        timezone=row.timezone,
        missed=Missed(row.missed),
        labels=Labels(options["labels"]),
        queue=None if options["queue"] is None else QueueName(options["queue"]),
        split=options["split"],
        max_rejected=options["max_rejected"],
        # A schedule of an older version has none.
        priority=options.get("priority", 0),
    )
    same = ("id", "created_at", "next_at", "version", "ran_at", "found", "submitted", "job_id", "error", "missed_at")
    return Schedule(plan=plan, **{name: getattr(row, name) for name in same})
