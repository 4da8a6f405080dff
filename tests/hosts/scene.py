"""Servers on one host, a scheduler and two workers on others, a folder that they share; links go down and come back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import select

from core import tables
from core.database import Database
from core.ledger import jobs
from core.settings import Settings
from core.vocabulary import JobState
from digitline.setup import prepare_ledger
from tests.digits import digit_folder
from tests.environment import variables
from tests.hosts.network import SERVERS, Host, build
from tests.hosts.servers import PASSWORD, PostgresForHosts, redis_for_hosts
from tests.oracle import Expected, check_job, labels_of
from tests.processes import running
from tests.waiting import wait_until
from worker.process import READY

#: Enough for a job to take some seconds, in which links can go down.
IMAGES = 5000
_HOLD = """
import sys, time
from sqlalchemy import text
from core.database import Database
with Database(sys.argv[1]).begin() as connection:
    connection.execute(text("SELECT id FROM jobs WHERE id = :job FOR UPDATE"), {"job": int(sys.argv[2])})
    print("holds", flush=True)
    time.sleep(3600)
"""
#: Seconds until a job is done, though every link was down.
PATIENCE = 120.0


class Scene:
    """A line on four hosts."""

    def __init__(self, settings: Settings, database: Database, scheduler: Host, workers: list[Host]) -> None:
        self.settings, self.database = settings, database
        self.scheduler, self.workers = scheduler, workers
        self.expected: Expected = {}

    @property
    def outage(self) -> float:
        """Seconds for which links go down: longer than a lease."""
        return self.settings.lease_time * 2

    def submit(self) -> int:
        """Hand the shared folder over, on the scheduler's host as a person there does; returns the job."""
        folder = str(self.scheduler.mounted_at / "digits")
        command = [*self.scheduler.within, sys.executable, "-m", "digitline", "submit", folder, "--json"]
        environment = variables(self.settings)
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd="/tmp")
        return int(json.loads(said.stdout)["id"])

    def ends_well(self, job_id: int) -> None:
        """Wait until a job is done, and hold it against the promise."""
        wait_until(lambda: self.ended(job_id), f"job {job_id} ends", PATIENCE)
        assert jobs.get(self.database, job_id).state is JobState.DONE
        check_job(self.database, job_id, self.expected or labels_of(self.database, job_id))
        assert jobs.get(self.database, job_id).accounts.scored == IMAGES

    def learn(self) -> None:
        """Learn from a quiet run what every other one must give."""
        job_id = self.submit()
        self.ends_well(job_id)
        self.expected = labels_of(self.database, job_id)

    def hosts_of(self, job_id: int) -> set[str]:
        """The hosts whose workers scored, or hold, batches of a job."""
        chosen = select(tables.batches.c.worker).where(tables.batches.c.job_id == job_id)
        with self.database.read() as connection:
            return {worker.partition(":")[0] for worker in connection.scalars(chosen) if worker}

    @contextmanager
    def holding(self, job_id: int, host: Host) -> Iterator[None]:
        """A process of that host holds the row of a job, in the middle of a transaction, as long as the block lasts."""
        command = [*host.within, sys.executable, "-c", _HOLD, self.settings.database, str(job_id)]
        environment = variables(self.settings)
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd="/tmp") as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "holds\n"
            try:
                yield
            finally:
                holder.kill()

    def both_work(self) -> None:
        """Send jobs until both workers had a part in one, so that none is deaf for good."""

        def both() -> bool:
            job_id = self.submit()
            self.ends_well(job_id)
            return self.hosts_of(job_id) == {worker.name for worker in self.workers}

        wait_until(both, "both workers score", PATIENCE)

    def wait_out(self) -> None:
        """Let a link be down for longer than a lease."""
        time.sleep(self.outage)

    def ended(self, job_id: int) -> bool:
        """Whether a job is over."""
        return jobs.get(self.database, job_id).state.ended


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """The line, running; use it in a `with`.

    Args:
        folder: empty, for the share, the mount point and the logs.
    """
    share, mounted_at = folder / "share", folder / "line"
    mounted_at.mkdir()
    digit_folder(share / "digits", IMAGES)
    scheduler, *workers = build(["scheduler", "worker-1", "worker-2"], share, mounted_at)
    with ExitStack() as stack:
        redis, postgres = stack.enter_context(redis_for_hosts()), stack.enter_context(PostgresForHosts())
        postgres.create_database("line")
        settings = Settings(
            home=mounted_at / "home",
            database_url=postgres.url_for_hosts("line"),
            broker_url=f"redis://:{quote(PASSWORD)}@{SERVERS}:{redis.port}/0",
            batch_size=50,
            concurrency=1,
            max_attempts=20,
            lease_time=6.0,
            resend_after=2.0,
            sweep_interval=1.0,
            visibility_timeout=20,
        )
        prepare_ledger(settings.model_copy(update={"home": folder / "servers"}))
        database = Database(settings.database)
        stack.callback(database.close)
        stack.enter_context(running(settings, "scheduler", log=folder / "scheduler.log", within=scheduler.within))
        started = [
            stack.enter_context(running(settings, "worker", log=folder / f"{host.name}.log", within=host.within))
            for host in workers
        ]
        for worker in started:
            worker.says(READY)
        yield Scene(settings, database, scheduler, workers)
