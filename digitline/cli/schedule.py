"""The verbs about folders that are scored by a timetable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from core.ledger import schedules as ledger
from core.ledger.schedules import Plan, Schedule
from core.sources import to_path, to_url
from core.vocabulary import PRIORITIES, Job, Labels, Missed, QueueName
from digitline.cli.options import Json, LabelsFrom, MaxRejected, OnQueue, Queue, Split
from digitline.cli.screen import moment, table, tell
from digitline.client import ready_line
from digitline.records import iso, job_record
from scheduler import schedules
from scheduler.producer import Line

verbs = typer.Typer(no_args_is_help=True, help="Score folders by a timetable: what is new in them becomes a job.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the schedule.")]
Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder that holds the images, at any depth; it may grow.")
]
Cron = Annotated[
    str, typer.Option(help="When: minute, hour, day of the month, month, day of the week, as cron has them.")
]
Zone = Annotated[str, typer.Option(help="By whose clocks: UTC, Europe/Berlin...")]
WhenMissed = Annotated[
    Missed, typer.Option(help="What becomes of times at which no scheduler ran: one run for all of them, or none.")
]
Priority = Annotated[
    int | None,
    typer.Option(
        min=PRIORITIES[0],
        max=PRIORITIES[-1],
        help="Of its jobs: of what waits, the highest first; default: 0, or with --replace what it was.",
        show_default=False,
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Change the schedule of that name; what it submitted of its folder stays known."),
]


@verbs.command(epilog="Example: digitline schedule add nightly /srv/scans --cron '0 2 * * *' --timezone Europe/Berlin")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people, and for the jobs it makes.")],
    folder: Folder,
    cron: Cron,
    timezone: Zone = "UTC",
    missed: WhenMissed = Missed.RUN_ONCE,
    labels: LabelsFrom = Labels.AUTO,
    queue: OnQueue = Queue.AUTO,
    split: Split = None,
    max_rejected: MaxRejected = None,
    priority: Priority = None,
    replace: Replace = False,
    json: Json = False,
) -> None:
    """Score a folder again and again: each time the images that this schedule has not submitted yet.

    An image is known by its path and its bytes. One that was changed in place is new, and so is one under another name.
    """
    line = ready_line()
    plan = Plan(
        name=name,
        source=to_url(folder),
        cron=cron,
        timezone=timezone,
        missed=missed,
        labels=labels,
        queue=None if queue is Queue.AUTO else QueueName(queue.value),
        split=split,
        max_rejected=max_rejected,
        priority=_priority_before(line, name) if priority is None and replace else priority or 0,
    )
    schedule = schedules.add(line, plan, replace=replace)
    _show(schedule, json, f"Schedule {schedule.plan.name!r} is due at {moment(schedule.next_at)} by this host's clock.")


@verbs.command("list")
def list_schedules(json: Json = False) -> None:
    """List the schedules: when each is due, when it last ran, and what it found then."""
    line = ready_line()
    found = ledger.every(line.database)
    records = [_record(schedule) for schedule in found]
    tell({"schedules": records}, _table(found) if found else "No schedules yet.", json=json)


@verbs.command(epilog="Example: digitline schedule remove nightly")
def remove(name: Name, json: Json = False) -> None:
    """Forget a schedule and what it submitted; its jobs and their results stay."""
    line = ready_line()
    schedule = ledger.find(line.database, name)
    ledger.remove(line.database, name)
    _show(schedule, json, f"Schedule {name!r} is removed; its jobs stay.")


@verbs.command(epilog="Example: digitline schedule run nightly")
def run(name: Name, json: Json = False) -> None:
    """Run a schedule at once; when it is due next stays as it was."""
    schedule, job = schedules.run_now(ready_line(), name)
    record = {**_record(schedule), "job": None if job is None else job_record(job)}
    tell(record, _told(schedule, job), json=json)


def _priority_before(line: Line, name: str) -> int:
    """Of the schedule that is replaced; 0 where there is none of that name."""
    return next((schedule.plan.priority for schedule in ledger.every(line.database) if schedule.plan.name == name), 0)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(verbs, name="schedule")


def _told(schedule: Schedule, job: Job | None) -> str:
    if job is None:
        return f"Nothing is new among {schedule.found or 0:,} files of {to_path(schedule.plan.source)}."
    return (
        f"Job {job.id}: {job.accounts.found:,} of {schedule.found or 0:,} files are new and queued. "
        f"See `digitline status {job.id}`."
    )


def _show(schedule: Schedule, json: bool, sentence: str) -> None:
    tell(_record(schedule), sentence, json=json)


def _table(found: Sequence[Schedule]) -> Table:
    columns = ("name", "cron", "time zone", "due", "last run", "found", "new", "job", "priority", "folder", "error")
    rows = (
        (
            schedule.plan.name,
            schedule.plan.cron,
            schedule.plan.timezone,
            moment(schedule.next_at),
            moment(schedule.ran_at),
            _count(schedule.found),
            _count(schedule.submitted),
            schedule.job_id,
            schedule.plan.priority or None,
            str(to_path(schedule.plan.source)),
            schedule.error,
        )
        for schedule in found
    )
    return table(columns, rows, numbers=("found", "new", "job", "priority"))


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _record(schedule: Schedule) -> Mapping[str, object]:
    """A schedule as an object."""
    plan = schedule.plan
    return {
        "name": plan.name,
        "folder": str(to_path(plan.source)),
        "cron": plan.cron,
        "timezone": plan.timezone,
        "missed": plan.missed.value,
        "labels": plan.labels.value,
        "queue": None if plan.queue is None else plan.queue.value,
        "split": plan.split,
        "max_rejected": plan.max_rejected,
        "priority": plan.priority,
        "created_at": iso(schedule.created_at),
        "next_at": iso(schedule.next_at),
        "ran_at": iso(schedule.ran_at),
        "found": schedule.found,
        "submitted": schedule.submitted,
        "job_id": schedule.job_id,
        "error": schedule.error,
        "missed_at": iso(schedule.missed_at),
    }
