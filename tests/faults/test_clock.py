"""The clocks of a worker's and a scheduler's host are two hours ahead: no lease ends early, and work is done all the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.ledger import batches, jobs
from core.settings import Settings
from core.vocabulary import JobState, Lease, Runtime, Trigger
from digitline.setup import prepare_ledger
from scheduler.producer import Line, submit
from tests.conftest import MakeSettings
from tests.core.examples import RUN_OUT
from tests.digits import digit_folder
from tests.environment import variables
from tests.faults.conftest import PATIENCE
from tests.models import fast_alone
from tests.oracle import attempts
from tests.processes import running
from tests.waiting import wait_until
from worker.process import READY

pytestmark = pytest.mark.timeout(400)

DIGITS = 12
#: Seconds for which somebody else has the batch; by the clock that is ahead it has run out long ago.
LEASE = 3600.0


@pytest.fixture
def two_hours_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that are started from now on read a clock that is two hours ahead."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "two_hours_ahead"))


@pytest.fixture
def chosen(settings: MakeSettings, postgres_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Of a line whose ledger has a clock of its own."""
    quick = {"sweep_interval": 0.2, "resend_after": 0.5, "concurrency": 1}
    loaded = {"model": fast_alone(tmp_path / "fast"), "runtime": Runtime.LITERT}
    chosen = settings(database_url=postgres_url, broker_url=redis_url, **loaded, **quick)
    prepare_ledger(chosen)
    return chosen


@pytest.fixture
def line(chosen: Settings) -> Iterator[Line]:
    """The line as a script sees it, by the right clock."""
    with closing(Line.open(chosen)) as line:
        yield line


@pytest.mark.usefixtures("two_hours_ahead")
def test_the_clock_of_the_processes_is_ahead(chosen: Settings) -> None:
    ask = "import time; print(int(time.time()))"
    told = subprocess.run(
        [sys.executable, "-c", ask], env=variables(chosen), capture_output=True, text=True, check=True
    )
    assert int(told.stdout) > time.time() + 7000


@pytest.mark.usefixtures("two_hours_ahead")
def test_a_worker_and_a_scheduler_whose_clocks_are_ahead_leave_a_lease_alone_until_the_ledgers_clock_ends_it(
    line: Line, chosen: Settings, tmp_path: Path
) -> None:
    job = submit(line, digit_folder(tmp_path / "digits", DIGITS), triggered_by=Trigger.SCRIPT)
    (batch,) = batches.of_job(line.database, job.id)
    lease = batches.claim(line.database, batch.id, worker=f"{os.getpid()}", lease_time=LEASE, max_attempts=3)
    assert isinstance(lease, Lease)
    with (
        running(chosen, "scheduler", log=tmp_path / "scheduler.log") as scheduler,
        running(chosen, "worker", log=tmp_path / "worker.log") as worker,
    ):
        worker.says(READY)
        worker.says("left alone: the batch is leased")
        turned = chosen.heartbeat_file.stat().st_mtime
        wait_until(lambda: chosen.heartbeat_file.stat().st_mtime > turned + 1, "the scheduler sweeps", PATIENCE)
        batches.renew(line.database, lease, LEASE)  # it is ours still
        assert attempts(line.database, job.id) == [1]
        batches.renew(line.database, lease, RUN_OUT)
        scheduler.says("its worker did not finish in time; it is queued again")
        wait_until(lambda: jobs.get(line.database, job.id).state is JobState.DONE, "it is scored", PATIENCE)
    assert attempts(line.database, job.id) == [2]
    assert jobs.get(line.database, job.id).accounts.scored == DIGITS
