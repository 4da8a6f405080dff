"""A disk has no room, or may not be written to; the line says so, keeps what it has, and goes on once it may."""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core import tables
from core.ledger import jobs, results
from core.settings import Settings
from core.vocabulary import Job, JobState, Runtime, Trigger
from digitline.setup import prepare_ledger
from scheduler.inbox import Inbox
from scheduler.producer import Line, submit
from tests.conftest import MakeSettings
from tests.core.examples import rows
from tests.digits import digit_folder
from tests.faults.conftest import PATIENCE
from tests.models import fast_alone
from tests.oracle import Expected, check_job
from tests.processes import LineProcess, members_of_session, running
from tests.scheduler.conftest import as_nobody, pictures
from tests.servers import RedisServer
from tests.waiting import wait_until
from worker.process import READY

pytestmark = pytest.mark.timeout(400)

#: Two batches.
DIGITS = 30
#: Bytes of a file where there is no room for more: the log of a process fits in, no transaction of SQLite does.
ROOM = 8192


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of a line whose ledger is a file."""
    folder = tmp_path_factory.mktemp("disk")
    with RedisServer() as redis:
        settings = Settings(
            home=folder / "home",
            broker_url=redis.url,
            model=fast_alone(folder / "fast"),
            runtime=Runtime.LITERT,
            batch_size=20,
            concurrency=1,
            lease_time=3.0,
            resend_after=1.5,
            sweep_interval=0.5,
            scan_interval=0.5,
            settle_time=0.4,
        )
        prepare_ledger(settings)
        settings.inbox_folder.mkdir(parents=True)
        yield settings


@pytest.fixture
def line(on_sqlite: Settings) -> Iterator[Line]:
    """The line as a script sees it."""
    line = Line.open(on_sqlite)
    yield line
    line.close()


@pytest.fixture(scope="module")
def worker(on_sqlite: Settings) -> Iterator[LineProcess]:
    """A worker that is ready."""
    with running(on_sqlite, "worker", log=on_sqlite.home_folder / "worker.log") as process:
        process.says(READY)
        yield process


@pytest.fixture(scope="module")
def scheduler(on_sqlite: Settings) -> Iterator[LineProcess]:
    """A scheduler that watches the inbox."""
    with running(on_sqlite, "scheduler", log=on_sqlite.home_folder / "scheduler.log") as process:
        process.says("the inbox is")
        yield process


@pytest.fixture(scope="module")
def digits(on_sqlite: Settings) -> Path:
    """A folder of digits."""
    return digit_folder(on_sqlite.home_folder / "digits", DIGITS)


@pytest.fixture(scope="module")
def quiet(on_sqlite: Settings, worker: LineProcess, digits: Path) -> Expected:
    """By path, the label that a run without a fault gives."""
    assert worker.exit_code is None
    line = Line.open(on_sqlite)
    job = done(line, submit(line, digits, triggered_by=Trigger.SCRIPT).name)
    found = {result.path: result.label for result in results.of_job(line.database, job.id)}
    line.close()
    return found


def done(line: Line, name: str) -> Job:
    """Wait until the newest job of a name is done."""

    def found() -> Job | None:
        newest = next((job for job in jobs.newest(line.database, 9) if job.name == name), None)
        return newest if newest is not None and newest.state is JobState.DONE else None

    return wait_until(found, f"{name} is done", PATIENCE)


@contextmanager
def no_room(process: LineProcess) -> Iterator[None]:
    """Let no file of a process and of its children grow as long as the block lasts."""
    family = members_of_session(process.pid)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for process_id in family:
        resource.prlimit(process_id, resource.RLIMIT_FSIZE, (ROOM, most))
    try:
        yield
    finally:
        for process_id in family:
            resource.prlimit(process_id, resource.RLIMIT_FSIZE, (most, most))


def test_a_drop_for_whose_job_the_database_has_no_room_stays_claimed_until_there_is_some(
    line: Line, scheduler: LineProcess, digits: Path, quiet: Expected
) -> None:
    with no_room(scheduler):
        shutil.copytree(digits, line.settings.inbox_folder / "waits")
        scheduler.says("takes nothing: disk I/O error. Make room on its disk, or let it be written to")
        scheduler.says("Trying again, and saying so once it works")
        assert [path.name for path in line.settings.claimed_folder.glob("*/*")] == ["waits"]
        assert scheduler.exit_code is None
    check_job(line.database, done(line, "waits").id, quiet)


def test_a_batch_that_a_worker_has_no_room_to_claim_is_scored_once_there_is_some(
    line: Line, worker: LineProcess, scheduler: LineProcess, digits: Path, quiet: Expected
) -> None:
    with no_room(worker):
        job = submit(line, digits, name="claimed later", triggered_by=Trigger.SCRIPT)
        worker.says("takes nothing: disk I/O error")
        again = "were not in Redis and are sent again"
        scheduler.says(again, scheduler.output.count(again) + 1)  # the worker gave up what it had in hand for so long
        assert [row["state"] for row in rows(line.database, tables.batches) if row["job_id"] == job.id] == [
            "queued"
        ] * 2
        assert worker.exit_code is None
    check_job(line.database, done(line, "claimed later").id, quiet)


def test_a_drop_in_an_inbox_that_may_not_be_written_to_is_claimed_once_it_may(
    settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        with as_nobody():
            chosen = settings(home=Path(folder, "home"), settle_time=0.0)
            inbox = Inbox(Line.open(chosen))
            pictures(chosen.inbox_folder / "scans", "a.png")
            chosen.inbox_folder.chmod(0o555)
            for _ in range(3):
                inbox._claim_settled()
            assert [path.name for path in chosen.inbox_folder.iterdir()] == ["scans"]
            assert sum("scans cannot be claimed: Permission denied." in line.message for line in caplog.records) == 1
            assert list(chosen.claimed_folder.iterdir()) == []
            chosen.inbox_folder.chmod(0o755)
            inbox._claim_settled()
            assert [path.name for path in chosen.claimed_folder.glob("*/*")] == ["scans"]
