"""Each time of a schedule makes one run, however many schedulers there are and wherever one of them dies."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from core import tables
from core.ledger import batches, jobs, schedules
from scheduler.producer import Line
from scheduler.schedules import run_due
from tests.core.racing import at_once
from tests.processes import PATIENCE, running
from tests.scheduler.conftest import pictures
from tests.scheduler.scheduling import make_due, nightly, planned
from tests.waiting import wait_until


def test_of_schedulers_in_a_race_one_runs_each_schedule(line: Line, scans: Path) -> None:
    names = [f"nightly-{number}" for number in range(4)]
    for name in names:
        planned(line, scans, name)
    lines = [Line.open(line.settings) for _ in range(3)]
    for number in range(1, 6):
        pictures(scans, f"4/{number}.png")
        make_due(line.database)
        at_once([partial(run_due, mine) for mine in lines])
        found = jobs.newest(line.database, 100)
        assert sorted(job.schedule or "" for job in found) == sorted(names * number)
    for mine in lines:
        mine.close()


def test_two_schedulers_run_what_is_due_once(line: Line, scans: Path, tmp_path: Path) -> None:
    names = [f"nightly-{number}" for number in range(8)]
    for name in names:
        planned(line, scans, name)
    with ExitStack() as stack:
        two = [
            stack.enter_context(running(line.settings, "scheduler", log=tmp_path / f"{number}.log"))
            for number in range(2)
        ]
        for scheduler in two:
            scheduler.says("the inbox is")
        for number in (1, 2):
            make_due(line.database)
            wait_until(lambda: not schedules.due(line.database), "nothing is due any more", PATIENCE)
            wait_until(
                lambda number=number: len(jobs.newest(line.database, 100)) >= 8 * number, "each has a job", PATIENCE
            )
            pictures(scans, "4/new.png")
        assert [scheduler.stop() for scheduler in two] == [0, 0]
    made = jobs.newest(line.database, 100)
    assert sorted(job.schedule or "" for job in made) == sorted(names * 2)
    assert sorted(job.accounts.found for job in made) == [1] * 8 + [3] * 8
    assert all("Traceback" not in scheduler.output for scheduler in two)


@pytest.mark.parametrize("point", ["schedule.looked", "schedule.committed"])
def test_a_scheduler_that_dies_in_a_run_leaves_it_to_the_next_one(
    line: Line, scans: Path, tmp_path: Path, point: str
) -> None:
    planned(line, scans)
    (tmp_path / "points").mkdir()
    (tmp_path / "points" / point).touch()
    make_due(line.database)
    with running(line.settings, "scheduler", log=tmp_path / "first.log") as first:
        wait_until(lambda: first.exit_code is not None, "the first scheduler dies", PATIENCE)
    assert len(jobs.newest(line.database, 10)) == (1 if point == "schedule.committed" else 0)
    with running(line.settings, "scheduler", log=tmp_path / "second.log") as second:
        wait_until(lambda: nightly(line).submitted == 3, "the second one runs it", PATIENCE)
        job = jobs.newest(line.database, 1)[0]
        wanted = {batch.id for batch in batches.of_job(line.database, job.id)}
        wait_until(lambda: line.inspector.waiting() == wanted, "its batches are sent")
        assert second.stop() == 0
    assert len(jobs.newest(line.database, 10)) == 1


def test_one_round_of_a_scheduler_runs_what_is_due_and_fails_where_that_could_not_be_done(
    line: Line, scans: Path, tmp_path: Path
) -> None:
    def one_round() -> int | None:
        with running(line.settings, "scheduler", "--once", log=tmp_path / "scheduler.log") as scheduler:
            wait_until(lambda: scheduler.exit_code is not None, "the round is over", PATIENCE)
            return scheduler.exit_code

    planned(line, scans)
    make_due(line.database)
    assert one_round() == 0
    assert nightly(line).submitted == 3
    make_due(line.database)
    with line.database.begin() as connection:
        connection.execute(update(tables.models).values(alias=None))
    pictures(scans, "new.png")
    before = nightly(line)
    assert one_round() == 1
    assert nightly(line) == before
