"""Schedules: folders that grow, looked at by a timetable; what is new in one becomes a job.

A run is recorded, together with its job, by one transaction that first changes the schedule's row from what it was when
it was read. Of two schedulers that find the same schedule due, one commits and the other finds the row changed, and
where one dies on the way nothing was written, so that the schedule is due still.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from core import clock
from core.crash import crash_point
from core.errors import (
    ScheduleError,
    SourceEmpty,
    SourceNotFound,
    SourceUnreadable,
    StaleSchedule,
    SubmissionError,
)
from core.ledger import runs
from core.ledger import schedules as ledger
from core.ledger.runs import Run
from core.ledger.schedules import Plan, Schedule
from core.settings import Settings
from core.sources import to_path
from core.vocabulary import Job, Manifest, Missed, NewJob, QueueName, Trigger
from scheduler import folder as folders
from scheduler.cron import next_after
from scheduler.growth import growth
from scheduler.producer import Line, send, size_of_batches

log = logging.getLogger(__name__)

#: By how much a run may be late and is not missed all the same: a scheduler that lists a drop of a million images comes
#: back to its schedules minutes later.
ON_TIME = timedelta(minutes=5)

#: What is easily typed, and safe in a path and in a line of a log.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def add(line: Line, plan: Plan, *, replace: bool = False) -> Schedule:
    """Put a plan into the ledger; it is due when its cron expression comes true next.

    Args:
        line: the servers.
        plan: what is wanted.
        replace: whether it takes the place of a schedule of its name.

    Raises:
        ScheduleError: its name, its expression, its zone or its folder makes no sense, or the name is taken.
        SourceNotFound: there is no such folder.
    """
    if not _NAME.fullmatch(plan.name):
        raise ScheduleError(
            f"{plan.name!r} is no name for a schedule.",
            mend="Use up to 100 letters, digits, points, dashes and underscores, a letter or digit first.",
        )
    _check_folder(line.settings, to_path(plan.source))
    line.database.check_revision()
    next_at = next_after(clock.read(line.database), plan.cron, plan.timezone)
    return ledger.add(line.database, plan, next_at, replace=replace)


def run_due(line: Line) -> None:
    """Run every schedule whose time has come, once, however many schedulers there are.

    Raises:
        LedgerUnreachable, QueueUnreachable, ModelNotFound: what is due stays due.
    """
    for schedule in ledger.due(line.database):
        try:
            _run_or_skip(line, schedule)
        except StaleSchedule as error:
            log.info("%s", error)
        except (ScheduleError, SubmissionError) as error:
            log.error("schedule %s: %s %s", schedule.plan.name, error, error.mend)


def run_now(line: Line, name: str) -> tuple[Schedule, Job | None]:
    """Run a schedule at once; when it is due next stays as it was.

    Returns:
        The schedule as it is now, and the job, if anything was new.

    Raises:
        ScheduleNotFound: there is none of that name.
        SubmissionError: the folder cannot become a job; the schedule says so from now on.
        StaleSchedule: a scheduler ran it at this very moment.
        LedgerUnreachable, QueueUnreachable, ModelNotFound: nothing was queued.
    """
    line.database.check_revision()
    schedule = ledger.find(line.database, name)
    job = _run(line, schedule, schedule.next_at)
    return ledger.find(line.database, name), job


def _run_or_skip(line: Line, schedule: Schedule) -> None:
    now = clock.read(line.database)
    next_at = next_after(now, schedule.plan.cron, schedule.plan.timezone)
    if schedule.plan.missed is Missed.SKIP and now - schedule.next_at > ON_TIME:
        runs.skip(line.database, schedule, next_at)
        log.warning("schedule %s: missed at %s, next at %s", schedule.plan.name, schedule.next_at, next_at)
        return
    _run(line, schedule, next_at)


def _run(line: Line, schedule: Schedule, next_at: datetime) -> Job | None:
    """Look at the folder, and record what was found with the job that it makes."""
    line.inspector.ping()  # first, or a folder would be looked at again and again while Redis is away
    try:
        run = _look(line, schedule, next_at)
    except SubmissionError as error:
        runs.record(line.database, schedule, Run(next_at, error=f"{error} {error.mend}".strip()))
        raise
    crash_point("schedule.looked")
    job = runs.record(line.database, schedule, run)
    crash_point("schedule.committed")
    if job is None:
        log.info("schedule %s: %s files, nothing is new", schedule.plan.name, run.found)
    else:
        send(line, job)
    return job


def _look(line: Line, schedule: Schedule, next_at: datetime) -> Run:
    root = to_path(schedule.plan.source)
    try:
        files = folders.find_files(root)
    except SourceEmpty:
        return Run(next_at, found=0)
    # Of all files, also of those that are not new: a labels.csv names them too.
    labels = folders.true_labels(root, files, schedule.plan.labels)
    grown = growth(line.database, schedule, root, files, max_bytes=line.settings.max_bytes)
    if not grown.paths:
        return Run(next_at, found=len(files), proven=grown.proven)
    of_new = None if labels is None else _labels_of(grown.paths, files, labels)
    size = line.settings.batch_size or size_of_batches(len(grown.paths))
    stamps = [grown.stamps[start : start + size] for start in range(0, len(grown.stamps), size)]
    new = _job(line.settings, schedule.plan, folders.cut(grown.paths, of_new, size))
    return Run(next_at, len(files), new, stamps, grown.proven)


def _job(settings: Settings, plan: Plan, manifests: Sequence[Manifest]) -> NewJob:
    small = sum(map(len, manifests)) <= settings.express_limit
    return NewJob(
        name=plan.name,
        source=plan.source,
        manifests=manifests,
        queue=plan.queue or (QueueName.EXPRESS if small else QueueName.BULK),
        triggered_by=Trigger.SCHEDULE,
        labels=plan.labels,
        split=settings.split if plan.split is None else plan.split,
        max_rejected=settings.max_rejected if plan.max_rejected is None else plan.max_rejected,
        priority=plan.priority,
        schedule=plan.name,
    )


def _labels_of(new: Iterable[str], files: Iterable[str], labels: Iterable[int | None]) -> list[int | None]:
    """The labels of those files that are new; both come in the order of the folder."""
    found, coming = [], iter(new)
    wanted = next(coming, None)
    for path, label in zip(files, labels, strict=True):
        if path == wanted:
            found.append(label)
            wanted = next(coming, None)
    return found


def _check_folder(settings: Settings, folder: Path) -> None:
    """Refuse now what every run would find out; a folder that is empty yet will do."""
    try:
        with os.scandir(folder):
            pass
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFound(f"There is no folder {folder}.", mend="Check the path.") from error
    except OSError as error:
        raise SourceUnreadable(f"{folder} cannot be read: {error.strerror}.", mend="Check its rights.") from error
    place = folder.resolve()
    for own in settings.drop_folders:
        if place.is_relative_to(own.resolve()) or own.resolve().is_relative_to(place):
            raise ScheduleError(
                f"{folder} and the line's own {own} lie in one another.",
                mend="Schedule a folder elsewhere; what is dropped into the inbox is scored anyway.",
            )
