"""What is due is run beside the scheduler's loop: neither the inbox nor the end of the process waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core import clock, tables
from core.ledger import jobs, models, schedules
from core.ledger.schedules import Plan
from core.sources import to_url
from scheduler.producer import Line
from scheduler.schedules import add
from scheduler.setbacks import Setbacks
from scheduler.timetable import Timetable
from tests.conftest import MakeSettings
from tests.processes import PATIENCE, running
from tests.scheduler.conftest import pictures
from tests.waiting import wait_until


@pytest.fixture
def line(settings: MakeSettings, postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Line]:
    """A line on PostgreSQL, where a row can be held without keeping everybody waiting, and a schedule that is due."""
    quick = {"settle_time": 0.0, "scan_interval": 0.05, "sweep_interval": 0.05}
    with closing(Line.open(settings(database_url=postgres_url, broker_url=redis_url, **quick))) as line:
        models.register(line.database, name="model", sha256="0" * 64, location="/nowhere", card={})
        scans = pictures(tmp_path / "scans", "a.png")
        add(line, Plan("nightly", to_url(scans), "0 2 * * *"))
        with line.database.begin() as connection:
            connection.execute(update(tables.schedules).values(next_at=clock.seconds_from_now(-1.0)))
        yield line


def names(line: Line) -> list[str]:
    return sorted(job.name for job in jobs.newest(line.database, 10))


def waiting(line: Line) -> int:
    """Statements that wait for a lock."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with line.database.read() as connection:
        return int(connection.exec_driver_sql(waits).scalar_one())


def test_while_a_schedule_is_run_the_loop_turns_and_a_scheduler_that_is_stopped_ends_and_leaves_it_due(
    line: Line, tmp_path: Path
) -> None:
    with running(line.settings, "scheduler", log=tmp_path / "scheduler.log") as scheduler:
        with line.database.begin() as connection:
            connection.execute(select(tables.schedules.c.id).with_for_update())
            wait_until(lambda: waiting(line) == 1, "the run waits for its row", PATIENCE)
            pictures(line.settings.inbox_folder / "drop", "b.png")
            wait_until(lambda: names(line) == ["drop"], "the drop becomes a job", PATIENCE)
            turned = line.settings.heartbeat_file.stat().st_mtime
            wait_until(lambda: line.settings.heartbeat_file.stat().st_mtime > turned, "the loop turns on", PATIENCE)
            assert waiting(line) == 1, "no second run is begun"
            assert scheduler.stop() == 0
        assert "Traceback" not in scheduler.output
    assert names(line) == ["drop"]
    assert [schedule.plan.name for schedule in schedules.due(line.database)] == ["nightly"]
    assert Timetable(line, Setbacks()).turn(wait=True)
    assert names(line) == ["drop", "nightly"]
