"""The disk of the ledger or of the drops is full while the scheduler submits, sweeps and files: it says so once."""

from __future__ import annotations

import resource
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core import room
from core.errors import DiskFull, LedgerUnwritable
from core.ledger import jobs
from core.vocabulary import Job, JobState, Trigger
from scheduler import endpoint, process
from scheduler.filing import PREDICTIONS, SUMMARY
from scheduler.inbox import Inbox
from scheduler.producer import Line, submit
from scheduler.setbacks import Setbacks
from scheduler.sweep import sweep
from tests.conftest import MakeSettings
from tests.full import no_room
from tests.processes import running
from tests.scheduler.conftest import pictures, score
from tests.scheduler.scraping import Scrape
from tests.servers import free_port
from tests.waiting import wait_until

#: Images whose table is longer than `LIMIT`.
MANY = [f"{number:04}.png" for number in range(200)]
#: Bytes of a file where there is no room for more.
LIMIT = 4096


@contextmanager
def no_file_grows() -> Iterator[None]:
    """Let no file of this process grow beyond some bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def done_drop(line: Line) -> Job:
    """A drop of many images that is scored and not filed yet."""
    Inbox(line)
    drop = pictures(line.settings.claimed_folder / "claim" / "scans", *MANY)
    job = submit(line, drop, triggered_by=Trigger.INBOX, claim="claim")
    score(line, job)
    return jobs.get(line.database, job.id)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_job_for_which_the_ledger_has_no_room_is_refused_whole_and_can_be_submitted_once_there_is(
    line: Line, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "scans", *MANY)
    with no_room(line.database), pytest.raises(LedgerUnwritable, match="database or disk is full") as caught:
        submit(line, folder, triggered_by=Trigger.SCRIPT)
    assert "Make room on its disk" in caught.value.mend
    assert jobs.newest(line.database, 9) == []
    job = submit(line, folder, triggered_by=Trigger.SCRIPT)
    score(line, job)
    assert jobs.get(line.database, job.id).accounts.scored == len(MANY)


def test_a_drop_whose_table_finds_no_room_stays_claimed_and_whole_and_the_log_hears_of_it_once(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    job, setbacks = done_drop(line), Setbacks()
    drop = line.settings.claimed_folder / "claim" / "scans"
    with no_file_grows():
        for _ in range(5):
            sweep(line, setbacks)
    assert names(drop) == set(MANY)
    assert caplog.text.count("File too large") == 1
    assert "filing job 1 'scans', which is done: [Errno 27] File too large" in caplog.text
    sweep(line, setbacks)
    (filed,) = line.settings.done_folder.iterdir()
    assert names(filed) == {*MANY, PREDICTIONS, SUMMARY}
    assert len((filed / PREDICTIONS).read_text().splitlines()) == len(MANY) + 1
    assert jobs.get(line.database, job.id).state is JobState.DONE
    assert "it works again" in caplog.text


def test_the_trial_tells_a_ledger_with_room_from_one_without_and_leaves_nothing(line: Line) -> None:
    with line.database.read() as connection:
        before = connection.exec_driver_sql("SELECT name FROM sqlite_master ORDER BY name").all()
    room.check_ledger(line.database)
    with line.database.read() as connection:
        assert connection.exec_driver_sql("SELECT name FROM sqlite_master ORDER BY name").all() == before
    with no_room(line.database), pytest.raises(LedgerUnwritable, match="database or disk is full"):
        room.check_ledger(line.database)
    room.check_ledger(line.database)


def test_with_less_free_than_is_asked_for_no_drop_is_taken_and_metrics_and_log_say_so(
    line: Line, settings: MakeSettings, tmp_path: Path
) -> None:
    more = {"min_free": 2**60, "sweep_interval": 0.1, "metrics_port": free_port()}
    chosen = settings(**{**line.settings.model_dump(exclude_unset=True), **more})
    Inbox(line)
    pictures(chosen.inbox_folder / "scans", "a.png")
    with running(chosen, "scheduler", log=tmp_path / "scheduler.log") as scheduler:
        scheduler.says("no drop is taken from the inbox. Make room")
        with urllib.request.urlopen(endpoint.url(chosen), timeout=60) as answer:
            found = Scrape(answer.read().decode())
        assert [found.value("no_room", part=part) for part in ("disk", "ledger", "redis")] == [1, 0, 0]
        assert found.value("disk_free_bytes") == pytest.approx(shutil.disk_usage(chosen.inbox_folder).free, rel=0.1)
        wait_until(chosen.heartbeat_file.exists, "the loop has turned")
        turned = chosen.heartbeat_file.stat().st_mtime
        wait_until(lambda: chosen.heartbeat_file.stat().st_mtime > turned + 1, "the loop turns on")
        assert scheduler.output.count("no drop is taken from the inbox") == 1
    assert names(chosen.inbox_folder) == {"scans"}
    with pytest.raises(DiskFull, match="DIGITLINE_MIN_FREE wants"):
        room.check_disk(chosen)
    process.run(line.settings, once=True)
    process.run(line.settings, once=True)
    assert [job.name for job in jobs.newest(line.database, 9)] == ["scans"]
