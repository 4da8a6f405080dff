"""Runs of a schedule: what it submitted before, and what a run found, recorded once however many found it."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, insert, select, update

from core import clock, tables
from core.database import Database
from core.errors import StaleSchedule
from core.ledger import beginnings, jobs
from core.ledger.jobs import OPEN
from core.ledger.schedules import Schedule
from core.vocabulary import BatchState, Job, NewJob

_schedules, _stamps, _known, _batches = tables.schedules, tables.stamps, tables.known_files, tables.batches

#: Stands for the SHA-256 of a file that was not scored.
_NONE = "-"

#: Batches that are read or written by one statement; bounds the memory of a folder of a million images.
_CHUNK = 50


@dataclass(frozen=True, slots=True)
class Submitted:
    """A batch that a schedule submitted, and how its files looked then."""

    batch_id: int
    #: True while some of its images may have no result yet.
    open: bool
    paths: Sequence[str]
    #: One of each path; 0: its look said nothing.
    stamps: array[int]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run found, to be recorded as a whole."""

    #: When the schedule is due next.
    next_at: datetime
    found: int | None = None
    #: What is to be scored; None where nothing is new.
    new: NewJob | None = None
    #: How the files of each of its batches look.
    stamps: Sequence[array[int]] = ()
    #: By batch submitted before, how its files look now that their bytes proved to be the same.
    proven: Mapping[int, array[int]] = field(default_factory=dict)
    error: str | None = None


def submitted(database: Database, schedule: Schedule) -> Iterator[Submitted]:
    """What a schedule submitted, the oldest first; without what was cancelled, which it may submit again.

    Reads some batches at a time, so that neither the memory nor a lock grows with the folder.
    """
    return merge(_live(database, schedule), _pruned(database, schedule), key=attrgetter("batch_id"))


def hashes(database: Database, batch_id: int, positions: Sequence[int]) -> dict[int, str]:
    """The SHA-256 of the bytes that were scored, by position; those that were rejected have none."""
    scored = tables.predictions.c
    chosen = select(scored.position, scored.sha256).where(scored.batch_id == batch_id, scored.position.in_(positions))
    with database.read() as connection:
        kept = connection.execute(select(_known.c.sha256s).where(_known.c.batch_id == batch_id)).scalar_one_or_none()
        if kept is None:
            return {row.position: row.sha256 for row in connection.execute(chosen)}
    words = kept.split()
    return {position: words[position] for position in positions if words[position] != _NONE}


def keep_known(connection: Connection, batch_ids: Collection[int]) -> None:
    """Keep what schedules have to know of batches that are about to be pruned; part of the transaction that does it.

    What a run has read of these schedules meanwhile is stale, so that it begins anew.
    """
    of_batches = _stamps.c.batch_id.in_(batch_ids)
    schedules = select(_stamps.c.schedule_id).where(of_batches)
    connection.execute(
        update(_schedules).where(_schedules.c.id.in_(schedules)).values(version=_schedules.c.version + 1)
    )
    standing = and_(of_batches, _batches.c.state != BatchState.CANCELLED.value)
    found = connection.execute(select(*_stamps.c, _batches.c.manifest).join(_batches).where(standing)).all()
    scored = tables.predictions.c
    of_known = select(scored.batch_id, scored.position, scored.sha256).where(
        scored.batch_id.in_([row.batch_id for row in found])
    )
    sha256s = {(row.batch_id, row.position): row.sha256 for row in connection.execute(of_known)}
    for row in found:
        paths = row.manifest["paths"]
        words = (sha256s.get((row.batch_id, position), _NONE) for position in range(len(paths)))
        known = {"batch_id": row.batch_id, "schedule_id": row.schedule_id, "stamps": row.stamps, "paths": paths}
        connection.execute(insert(_known).values({**known, "sha256s": " ".join(words)}))


def record(database: Database, schedule: Schedule, run: Run) -> Job | None:
    """Write what a run found, and its job, in one transaction: of several runs at once, one is recorded.

    Returns:
        The job, if anything was new.

    Raises:
        StaleSchedule: somebody else ran, changed or removed the schedule since it was read. Nothing was written.
        ModelNotFound: no model is in production. Nothing was written.
    """
    outcome = {
        "next_at": run.next_at,
        "ran_at": clock.now(),
        "found": run.found,
        "submitted": None if run.found is None else run.new.found if run.new is not None else 0,
        "job_id": None,
        "error": run.error,
    }
    with database.begin() as connection:
        _advance(connection, schedule, outcome)
        for batch_id, seen in run.proven.items():
            for table in (_stamps, _known):
                connection.execute(update(table).where(table.c.batch_id == batch_id).values(stamps=_text(seen)))
        if run.new is None:
            return None
        job_id = beginnings.write(connection, run.new)
        connection.execute(update(_schedules).where(_schedules.c.id == schedule.id).values(job_id=job_id))
        _insert_stamps(connection, schedule, job_id, run.stamps)
    return jobs.get(database, job_id)


def skip(database: Database, schedule: Schedule, next_at: datetime) -> None:
    """Note that a time was missed, and when the schedule is due next.

    Raises:
        StaleSchedule: somebody else ran, changed or removed the schedule since it was read. Nothing was written.
    """
    with database.begin() as connection:
        _advance(connection, schedule, {"next_at": next_at, "missed_at": schedule.next_at})


def _live(database: Database, schedule: Schedule) -> Iterator[Submitted]:
    columns = (_stamps.c.batch_id, _stamps.c.stamps, _batches.c.state, _batches.c.manifest)
    of_schedule = select(*columns).join(_batches).where(_stamps.c.schedule_id == schedule.id)
    standing = of_schedule.where(_batches.c.state != BatchState.CANCELLED.value)
    for row in _by_batch(database, standing, _stamps.c.batch_id):
        yield Submitted(row.batch_id, row.state in OPEN, row.manifest["paths"], _numbers(row.stamps))


def _pruned(database: Database, schedule: Schedule) -> Iterator[Submitted]:
    columns = (_known.c.batch_id, _known.c.stamps, _known.c.paths)
    of_schedule = select(*columns).where(_known.c.schedule_id == schedule.id)
    for row in _by_batch(database, of_schedule, _known.c.batch_id):
        yield Submitted(row.batch_id, False, row.paths, _numbers(row.stamps))


def _by_batch(database: Database, chosen: Select[Any], batch_id: ColumnElement[int]) -> Iterator[Row[Any]]:
    """Rows in the order of their batches, some at a time."""
    read = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(chosen.where(batch_id > read).order_by(batch_id).limit(_CHUNK)).all()
        yield from rows
        if len(rows) < _CHUNK:
            return
        read = rows[-1].batch_id


def _advance(connection: Connection, schedule: Schedule, values: Mapping[str, Any]) -> None:
    """Change a schedule that is as it was read; whoever else would change it waits until this is committed."""
    unchanged = (_schedules.c.id == schedule.id, _schedules.c.version == schedule.version)
    advanced = update(_schedules).where(*unchanged).values({**values, "version": schedule.version + 1})
    if connection.execute(advanced).rowcount != 1:
        raise StaleSchedule(f"Schedule {schedule.plan.name!r} was run, changed or removed by somebody else just now.")


def _insert_stamps(connection: Connection, schedule: Schedule, job_id: int, seen: Sequence[array[int]]) -> None:
    of_job = select(_batches.c.id).where(_batches.c.job_id == job_id).order_by(_batches.c.sequence)
    rows = zip(connection.scalars(of_job).all(), seen, strict=True)
    statement = insert(_stamps).values(schedule_id=schedule.id)
    while chunk := [{"batch_id": batch_id, "stamps": _text(numbers)} for batch_id, numbers in islice(rows, _CHUNK)]:
        connection.execute(statement, chunk)


def _text(numbers: array[int]) -> str:
    return " ".join(f"{number:x}" for number in numbers)


def _numbers(text: str) -> array[int]:
    return array("Q", (int(word, 16) for word in text.split()))
