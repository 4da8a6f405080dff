"""`digitline doctor --end-to-end`: digits go through a real line, and where they get stuck is said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from core.database import Database
from core.errors import LineError
from core.ledger import batches, jobs, pauses
from core.settings import Settings
from core.vocabulary import Job, JobState, Runtime
from digitline.doctor import end_to_end
from digitline.setup import prepare_ledger
from scheduler.inbox import prepare_folders
from tests.conftest import MakeSettings
from tests.core.examples import outcome, take
from tests.processes import running
from tests.servers import RedisServer
from tests.waiting import wait_until
from worker.process import READY

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def line(settings: MakeSettings, sqlite_url: str, redis_server: RedisServer) -> Settings:
    """A line without processes."""
    chosen = settings(
        database_url=sqlite_url, broker_url=redis_server.url, runtime=Runtime.LITERT, concurrency=1, resend_after=1.0
    )
    prepare_ledger(chosen)
    prepare_folders(chosen)
    return chosen


@contextmanager
def when_it_is_sent(line: Settings, act: object) -> Iterator[None]:
    """Do something to the doctor's job, in a thread, once it is there."""

    def wait_and_act() -> None:
        with closing(Database(line.database)) as ledger:
            job = wait_until(lambda: next(iter(jobs.newest(ledger, 1)), None), "the job is there")
            act(ledger, job)  # type: ignore[operator]

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def stuck(line: Settings, timeout: float = 1.5) -> LineError:
    """What the doctor says; nothing is left behind but the job, which is over."""
    with pytest.raises(LineError) as refused:
        end_to_end.send_digits(line, timeout)
    assert not [*line.home_folder.glob("doctor-*")]
    with closing(Database(line.database)) as ledger:
        (job,) = jobs.newest(ledger, 1)
    assert (job.name, job.state.ended) == ("doctor", True)
    return refused.value


def test_digits_go_through_a_line_that_works_and_leave_nothing_but_their_job(
    line: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running(line, "worker", log=tmp_path_factory.mktemp("worker") / "log") as worker:
        worker.says(READY)
        told = end_to_end.send_digits(line)
    assert told.startswith("20 digits through the whole line in ")
    assert "20 read right (job 1)" in told
    assert not [*line.home_folder.glob("doctor-*")]
    with closing(Database(line.database)) as ledger:
        (job,) = jobs.newest(ledger, 10)
    assert (job.name, job.state, job.accounts.scored) == ("doctor", JobState.DONE, 20)


def test_where_no_worker_answers_it_says_so(line: Settings) -> None:
    refused = stuck(line)
    assert str(refused) == "Job 1 was not scored within 1.5 s: no worker took it, for none answers."
    assert "digitline worker" in refused.mend


def test_where_the_line_is_paused_it_says_by_whom(line: Settings) -> None:
    with closing(Database(line.database)) as ledger:
        pauses.pause_line(ledger, by="ada", reason="new disks")
    refused = stuck(line)
    assert "the line is paused by ada: new disks." in str(refused)
    assert "resume --all" in refused.mend


def test_where_a_worker_does_not_see_the_folder_its_words_are_repeated(line: Settings) -> None:
    def give_back(ledger: Database, job: Job) -> None:
        lease = take(ledger, batches.of_job(ledger, job.id)[0])
        batches.release(ledger, lease, "There is no folder /line/doctor on other.", blameless=True)

    with when_it_is_sent(line, give_back):
        refused = stuck(line)
    assert "There is no folder /line/doctor on other." in str(refused)
    assert "Every host must see the images." in refused.mend


def test_where_a_worker_does_not_end_it_it_says_so(line: Settings) -> None:
    with when_it_is_sent(line, lambda ledger, job: take(ledger, batches.of_job(ledger, job.id)[0])):
        refused = stuck(line)
    assert "a worker took it, and has not ended it." in str(refused)
    assert "--timeout" in refused.mend


def test_where_redis_lost_it_and_no_scheduler_runs_it_says_so(line: Settings, redis_server: RedisServer) -> None:
    def forget(*_: object) -> None:
        with redis_server.client() as client:
            wait_until(lambda: client.delete("digitline:express"), "the message is gone")

    with other_queue(line) as _, when_it_is_sent(line, forget):
        refused = stuck(line, 3.0)
    assert "its message is not in Redis, and no scheduler sent it again." in str(refused)
    assert "digitline scheduler" in refused.mend


def test_where_workers_serve_another_queue_it_says_so(line: Settings) -> None:
    with other_queue(line) as name:
        refused = stuck(line, 3.0)
    assert f"no worker took it; {name} answer." in str(refused)
    assert "--queues" in refused.mend


@contextmanager
def other_queue(line: Settings) -> Iterator[str]:
    """A worker that serves the other queue alone; yields its name."""
    with running(line, "worker", "--queues", "bulk", "--name", "bulky", log=line.home_folder / "bulky.log") as worker:
        worker.says(READY)
        yield f"bulky@{socket.gethostname()}"


def test_digits_that_are_read_wrong_are_a_fault(line: Settings) -> None:
    def misread(ledger: Database, job: Job) -> None:
        lease = take(ledger, batches.of_job(ledger, job.id)[0])
        batches.finish(ledger, lease, outcome(lease, labels=[0] * 20))

    with when_it_is_sent(line, misread):
        refused = stuck(line, 60.0)
    assert "were read right by mnist-cascade-1" in str(refused)
    assert "digitline evaluate" in refused.mend
