"""The scheduler removes what is older than its setting says, a little in each round, and no schedule scores anew by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from core import clock, tables
from core.database import Database
from core.ledger import jobs, pruning, schedules
from core.ledger.pruning import Rule
from core.ledger.schedules import Plan
from core.sources import to_url
from scheduler import pruning as retention
from scheduler.producer import Line
from scheduler.pruning import Pruned, Retention, prune
from scheduler.schedules import run_now
from tests.conftest import MakeSettings
from tests.core.examples import create_job, register_model, score
from tests.processes import PATIENCE, running
from tests.scheduler.conftest import pictures
from tests.scheduler.scored import paths_of, score_truly
from tests.waiting import wait_until

RULE = Rule(timedelta(days=90))


@pytest.fixture
def line(settings: MakeSettings, database_url: str, redis_url: str) -> Iterator[Line]:
    """A line on either database that forgets after 90 days."""
    with closing(Line.open(settings(database_url=database_url, broker_url=redis_url, retention="90d"))) as line:
        register_model(line.database)
        yield line


def all_ended_long_ago(database: Database) -> None:
    with database.begin() as connection:
        ended = tables.jobs.c.finished_at.is_not(None)
        connection.execute(update(tables.jobs).where(ended).values(finished_at=clock.seconds_from_now(-91 * 86_400)))


def old_jobs(database: Database, number: int, size: int = 100) -> None:
    for _ in range(number):
        score(database, create_job(database, [size]))
    all_ended_long_ago(database)
    create_job(database, [1])


def left(database: Database) -> int:
    return len(jobs.newest(database, 100))


def test_a_round_removes_what_is_old(line: Line) -> None:
    old_jobs(line.database, 3)
    Retention(line).turn()
    assert left(line.database) == 1


def test_a_scheduler_does_so_by_itself(line: Line, tmp_path: Path) -> None:
    old_jobs(line.database, 2)
    with running(line.settings, "scheduler", "--once", log=tmp_path / "scheduler.log") as scheduler:
        wait_until(lambda: scheduler.exit_code is not None, "the round is over", PATIENCE)
        assert (scheduler.exit_code, left(line.database)) == (0, 1)
        assert "2 jobs went that had ended more than 90d ago" in scheduler.output


def test_without_the_setting_nothing_goes(line: Line, settings: MakeSettings, database_url: str) -> None:
    old_jobs(line.database, 2)
    with closing(Line.open(settings(database_url=database_url))) as other:
        Retention(other).turn()
    assert left(line.database) == 3


def test_a_round_stops_in_time_and_the_next_one_goes_on(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    old_jobs(line.database, 3)
    assert prune(line.database, RULE, seconds=-1.0) == Pruned(0, 0, finished=False)
    monkeypatch.setattr(retention, "_TURN", -1.0)
    rounds = Retention(line)
    rounds.turn()
    assert left(line.database) == 4
    monkeypatch.setattr(retention, "_TURN", 60.0)
    rounds.turn()
    assert left(line.database) == 1


def test_once_nothing_is_left_the_ledger_is_not_asked_at_every_round(line: Line) -> None:
    rounds = Retention(line)
    old_jobs(line.database, 1)
    rounds.turn()
    all_before = left(line.database)
    old_jobs(line.database, 1)
    rounds.turn()
    assert left(line.database) == all_before + 2


def test_a_job_that_is_kept_stands_in_no_other_ones_way(line: Line) -> None:
    score(line.database, create_job(line.database, [2], claim="c1"))
    old_jobs(line.database, 2)
    assert prune(line.database, RULE) == Pruned(2, 200, finished=True)
    assert left(line.database) == 2


def test_a_schedule_scores_nothing_anew_whose_job_is_gone(line: Line, tmp_path: Path) -> None:
    scans = pictures(tmp_path / "scans", "1/a.png", "2/b.png")
    far = datetime(2100, 1, 1, tzinfo=UTC)
    schedules.add(line.database, Plan("nightly", to_url(scans), "0 0 29 2 *"), far)
    _, job = run_now(line, "nightly")
    assert job is not None
    score_truly(line, job)
    old_jobs(line.database, 1)
    assert prune(line.database, RULE).jobs == 2
    assert run_now(line, "nightly")[1] is None
    (scans / "1" / "a.png").write_bytes(b"other bytes")
    (scans / "2" / "b.png").touch()
    _, changed = run_now(line, "nightly")
    assert changed is not None
    assert paths_of(line, changed) == ["1/a.png"]


def test_a_schedule_that_is_removed_has_its_jobs_pruned_as_others_are(line: Line, tmp_path: Path) -> None:
    scans = pictures(tmp_path / "scans", "1/a.png")
    schedules.add(line.database, Plan("nightly", to_url(scans), "0 0 29 2 *"), datetime(2100, 1, 1, tzinfo=UTC))
    _, job = run_now(line, "nightly")
    assert job is not None
    score_truly(line, job)
    old_jobs(line.database, 1)
    schedules.remove(line.database, "nightly")
    assert [one.kept for one in pruning.old_jobs(line.database, RULE)] == [None, None]
    assert prune(line.database, RULE).jobs == 2


def test_sqlite_uses_the_room_again(sqlite: Database) -> None:
    def pages(what: str) -> int:
        with sqlite.read() as connection:
            return int(connection.execute(text(f"PRAGMA {what}")).scalar_one())

    old_jobs(sqlite, 3, size=1000)
    before = pages("page_count")
    prune(sqlite, RULE)
    assert pages("freelist_count") > before / 3
    old_jobs(sqlite, 3, size=1000)
    assert pages("page_count") <= before + 10
