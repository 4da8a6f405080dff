"""What reaches the inbox slowly, in masses, unannounced or not at all, and what changes there meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger import jobs, models
from core.settings import Settings
from core.vocabulary import JobState
from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.oracle import check_job
from tests.processes import LineProcess, running
from tests.scheduler.conftest import pictures, score
from tests.waiting import wait_until

#: Looks at the inbox that a writer pauses for; it is settled after three where nobody holds the file.
PAUSE = 8
MANY = 5000
READ_AS = 1


@pytest.fixture
def line(settings: MakeSettings, sqlite_url: str, redis_url: str) -> Iterator[Line]:
    """A line with a model, and nobody who scores but the test."""
    chosen = settings(
        database_url=sqlite_url,
        broker_url=redis_url,
        scan_interval=0.5,
        settle_time=0.5,
        sweep_interval=0.5,
        resend_after=1.0,
    )
    line = Line.open(chosen)
    models.register(line.database, name="model", sha256="0" * 64, location="/nowhere", card={})
    chosen.inbox_folder.mkdir(parents=True)
    yield line
    line.close()


@pytest.fixture
def scheduler(line: Line, tmp_path: Path) -> Iterator[LineProcess]:
    """A scheduler that watches the inbox."""
    with running(line.settings, "scheduler", log=tmp_path / "scheduler.log") as process:
        process.says("the inbox is")
        yield process


def wait_for_looks(settings: Settings, number: int) -> None:
    """Wait until the scheduler has looked at the inbox that often."""
    for _ in range(number):
        before = settings.heartbeat_file.stat().st_mtime_ns if settings.heartbeat_file.exists() else 0
        wait_until(
            lambda before=before: (
                settings.heartbeat_file.exists() and settings.heartbeat_file.stat().st_mtime_ns > before
            ),
            "the scheduler looks again",
            interval=0.01,
        )


def scored_as_found(line: Line, name: str, expected: set[str]) -> None:
    """Wait for the job of a drop, score it, and have the oracle look at it."""
    (job,) = wait_until(
        lambda: [job for job in jobs.newest(line.database, 100) if job.name == name], f"{name} is a job", 60
    )
    score(line, job)
    wait_until(lambda: jobs.get(line.database, job.id).state is JobState.DONE, "the job is done")
    check_job(line.database, job.id, dict.fromkeys(expected, READ_AS))


@pytest.mark.usefixtures("scheduler")
def test_a_file_that_arrives_at_a_trickle_with_a_pause_is_claimed_once_it_is_whole(line: Line) -> None:
    drop, content = line.settings.inbox_folder / "slow.png", b"a picture that comes byte by byte"
    wait_for_looks(line.settings, 1)
    for byte in content[:PAUSE]:  # as rsync does in place: opened anew each time, and never at rest for long
        with drop.open("ab") as file:
            file.write(bytes([byte]))
        wait_for_looks(line.settings, 1)
    with drop.open("ab") as file:  # as most others do: held open however long it takes
        for byte in content[PAUSE:]:
            file.write(bytes([byte]))
            file.flush()
        wait_for_looks(line.settings, PAUSE)
        assert drop.read_bytes() == content
        assert list(line.settings.claimed_folder.iterdir()) == []
    scored_as_found(line, "slow.png", {"slow.png"})
    (claimed,) = [*line.settings.claimed_folder.glob("*/*/slow.png"), *line.settings.done_folder.glob("*/slow.png")]
    assert claimed.read_bytes() == content


@pytest.mark.usefixtures("scheduler")
def test_five_thousand_files_that_arrive_at_once_become_one_job(line: Line, tmp_path: Path) -> None:
    folder = line.settings.inbox_folder / "flood"
    names = {f"{number:04}.png" for number in range(MANY)}
    source = pictures(tmp_path, "source.png") / "source.png"
    folder.mkdir()
    for name in names:
        os.link(source, folder / name)
    scored_as_found(line, "flood", names)


def test_a_drop_that_no_event_announces_is_found_all_the_same(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The watcher looks at the folder itself, once an hour, in place of listening to the kernel.
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "3600000")
    with running(line.settings, "scheduler", log=tmp_path / "scheduler.log") as scheduler:
        scheduler.says("the inbox is")
        wait_for_looks(line.settings, 1)
        pictures(line.settings.inbox_folder / "unannounced", "a.png", "b.png")
        scored_as_found(line, "unannounced", {"a.png", "b.png"})


@pytest.mark.usefixtures("scheduler")
def test_two_schedulers_make_one_job_of_every_drop_and_send_each_lost_batch_once(line: Line, tmp_path: Path) -> None:
    names = [f"drop-{number}" for number in range(12)]
    made = tmp_path / "made"
    with running(line.settings, "scheduler", log=tmp_path / "second.log") as second:
        second.says("the inbox is")
        for name in names:
            shutil.move(pictures(made / name, "a.png", "b.png"), line.settings.inbox_folder)
        wait_until(lambda: len(jobs.newest(line.database, 100)) >= len(names), "every drop is a job", 60)
        line.app.control.purge()
        wait_until(lambda: len(line.inspector.waiting()) == len(names), "every batch is sent again", 60)
        wait_for_looks(line.settings, PAUSE)
        assert sum(line.inspector.depths().values()) == len(names)
        for name in names:
            scored_as_found(line, name, {"a.png", "b.png"})
    assert len(jobs.newest(line.database, 100)) == len(names)
