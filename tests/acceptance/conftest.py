"""A line of real processes on a Redis and a PostgreSQL of the module's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.crash import ALWAYS
from core.database import Database
from core.ledger import jobs
from core.settings import Settings
from core.vocabulary import Job, Trigger
from digitline.setup import prepare_ledger
from scheduler.producer import Line, submit
from tests.processes import LineProcess, running
from tests.servers import PostgresServer, RedisServer
from tests.waiting import wait_until
from worker.process import READY

#: Seconds until a job of a fault test is over: lease, sweep, and a worker that loads TensorFlow anew.
PATIENCE = 120.0


@dataclass
class Stage:
    """Servers, settings and a worker; each test starts the schedulers it needs."""

    settings: Settings
    redis: RedisServer
    worker: LineProcess
    folder: Path
    database: Database

    def arm(self, point: str, *, always: bool = False) -> Path:
        """Let the next process that gets to a crash point die there, or every one."""
        assert self.settings.crash_points is not None
        armed = self.settings.crash_points / point.replace("/", "_")
        armed.write_text(ALWAYS if always else "")
        return armed

    def start_worker(self) -> None:
        """Start a worker in place of the one that is gone; returns once it has loaded the model."""
        log = self.folder / "worker.log"
        ready = log.read_text().count(READY) if log.exists() else 0
        self.worker = LineProcess(self.settings, "worker", log=log)
        self.worker.says(READY, ready + 1)

    def scheduler(self) -> AbstractContextManager[LineProcess]:
        """A scheduler that is gone afterwards."""
        return running(self.settings, "scheduler", log=self.folder / "scheduler.log")

    def submit(self, folder: Path) -> Job:
        """Make a job as a script does."""
        line = Line.open(self.settings)
        try:
            return submit(line, folder, triggered_by=Trigger.SCRIPT)
        finally:
            line.close()

    def wait(self, job: Job) -> Job:
        """Wait until a job has ended."""
        return wait_until(lambda: ended(self.database, job.id), f"job {job.id} ends", PATIENCE)


def ended(database: Database, job_id: int) -> Job | None:
    """The job, once it has ended."""
    job = jobs.get(database, job_id)
    return job if job.state.ended else None


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, _shared_postgres: PostgresServer) -> Iterator[Stage]:
    """A worker on servers of the module's own, with times short enough for faults to pass quickly."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "crash").mkdir()
    database_url = _shared_postgres.create_database(f"stage_{folder.name.replace('-', '_')}")
    with RedisServer() as redis:
        settings = Settings(
            home=folder / "home",
            database_url=database_url,
            broker_url=redis.url,
            batch_size=20,
            concurrency=1,
            lease_time=3.0,
            resend_after=1.5,
            sweep_interval=0.5,
            scan_interval=0.5,
            settle_time=0.4,
            crash_points=folder / "crash",
        )
        prepare_ledger(settings)
        with running(settings, "worker", log=folder / "worker.log") as worker:
            worker.says(READY)
            database = Database(database_url)
            stage = Stage(settings, redis, worker, folder, database)
            yield stage
            stage.worker.close()
            database.close()
