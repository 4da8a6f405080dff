"""The scheduler's loop goes on, whatever a round runs into."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import DigitlineError, SettingsError
from core.ledger import jobs
from scheduler import process
from scheduler.inbox import prepare_folders
from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.processes import LineProcess
from tests.scheduler.conftest import Nest, pictures
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGIO)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_one_round_does_everything_once(line: Line) -> None:
    pictures(line.settings.claimed_folder / "claim" / "scans", "a.png")
    process.run(line.settings, once=True)
    assert [job.name for job in jobs.newest(line.database, 10)] == ["scans"]
    assert line.settings.heartbeat_file.exists()


def test_a_home_that_cannot_be_made_is_named_with_what_to_set(settings: MakeSettings, tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.touch()
    with pytest.raises(SettingsError, match=r"inbox cannot be made: Not a directory\.") as caught:
        prepare_folders(settings(home=home))
    assert "DIGITLINE_HOME" in caught.value.mend


def test_one_round_says_so_where_a_step_failed(line: Line, settings: MakeSettings, tmp_path: Path) -> None:
    gone = settings(database_url=line.settings.database_url, broker_url=f"redis+socket://{tmp_path}/none")
    pictures(gone.claimed_folder / "claim" / "scans", "a.png")
    with pytest.raises(DigitlineError, match="not everything could be done"):
        process.run(gone, once=True)


def test_a_heartbeat_that_cannot_be_written_is_a_failed_step(line: Line) -> None:
    line.settings.heartbeat_file.parent.mkdir(parents=True)
    line.settings.heartbeat_file.symlink_to("/nowhere/at/all")
    with pytest.raises(DigitlineError, match="not everything could be done"):
        process.run(line.settings, once=True)


def test_the_scheduler_survives_a_writer_deep_folders_and_a_lost_heartbeat(
    line: Line, tmp_path: Path, nest: Nest
) -> None:
    inbox = line.settings.inbox_folder
    inbox.mkdir(parents=True)
    line.settings.heartbeat_file.symlink_to("/nowhere/at/all")
    nest(inbox / "deep", 1100)
    scheduler = LineProcess(line.settings, "scheduler", log=tmp_path / "scheduler.log")
    try:
        scheduler.says("the inbox is")
        # What the kernel sends to the holder of a lease when somebody opens the file for writing.
        os.kill(scheduler.pid, signal.SIGIO)
        pictures(inbox / "later", "a.png")
        wait_until(lambda: not (inbox / "later").exists() and not (inbox / "deep").exists(), "both drops are claimed")
        wait_until(lambda: len(jobs.newest(line.database, 10)) == 2, "both are jobs")
        assert scheduler.exit_code is None
    finally:
        scheduler.close()
