"""What must be survived, shown with real processes: nothing lost, nothing twice."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from core.ledger import jobs, results, steering
from core.vocabulary import Job, JobState, Reason
from scheduler.producer import Line
from tests.acceptance.conftest import PATIENCE, Stage, ended
from tests.digits import digit_folder, files_below
from tests.oracle import attempts, check_job
from tests.points import SCHEDULER_POINTS, WORKER_POINTS
from tests.waiting import wait_until

DIGITS = 50  # 3 batches, the last one with an odd tail


@pytest.fixture(scope="module")
def digits(stage: Stage) -> Path:
    """A folder of digits, scored once without any fault."""
    return digit_folder(stage.folder / "digits", DIGITS)


@pytest.fixture(scope="module")
def quiet(stage: Stage, digits: Path) -> dict[str, int | None]:
    """By path, the label that a run without a fault gives."""
    job = stage.wait(stage.submit(digits))
    labels = {result.path: result.label for result in results.of_job(stage.database, job.id)}
    assert labels.keys() == files_below(digits)
    return labels


@pytest.mark.timeout(600)
@pytest.mark.parametrize("point", WORKER_POINTS)
def test_a_batch_whose_worker_is_killed_is_done_by_its_successor(
    stage: Stage, digits: Path, quiet: dict[str, int | None], point: str
) -> None:
    armed = stage.arm(point)
    with stage.scheduler():
        job = stage.wait(stage.submit(digits))
    assert not armed.exists()
    assert job.state is JobState.DONE
    check_job(stage.database, job.id, quiet)
    assert max(attempts(stage.database, job.id)) <= 2


@pytest.mark.timeout(300)
def test_a_batch_whose_whole_worker_is_killed_is_done_by_another_within_its_lease(
    stage: Stage, digits: Path, quiet: dict[str, int | None]
) -> None:
    line = Line.open(stage.settings)
    stage.worker.send(signal.SIGSTOP)
    job = stage.submit(digits)
    with stage.database.begin() as connection:
        # The worker takes its messages and gets no further.
        connection.exec_driver_sql("LOCK TABLE batches IN SHARE ROW EXCLUSIVE MODE")
        stage.worker.send(signal.SIGCONT)
        wait_until(line.inspector.held, "the worker holds messages", PATIENCE)
        stage.worker.close()
    assert line.inspector.held(), "Redis still believes that the dead worker holds them"
    line.close()
    stage.start_worker()
    with stage.scheduler():
        stage.wait(job)
    check_job(stage.database, job.id, quiet)


@pytest.mark.timeout(300)
def test_images_that_kill_their_workers_cost_a_row_each_and_are_named(
    stage: Stage, digits: Path, quiet: dict[str, int | None]
) -> None:
    first, *_, last = sorted(quiet)
    poison = {path: stage.arm(f"look.{path}", always=True) for path in (first, last)}
    with stage.scheduler():
        job = stage.wait(stage.submit(digits))
        assert (job.state, job.accounts.quarantined) == (JobState.DONE, len(poison))
        check_job(stage.database, job.id, quiet | dict.fromkeys(poison))
        assert max(attempts(stage.database, job.id)) == 2
        refused = {result.path: result for result in results.of_job(stage.database, job.id) if result.reason}
        assert {result.reason for result in refused.values()} == {Reason.QUARANTINED}
        assert all("SIGKILL" in str(result.message) for result in refused.values())
        for armed in poison.values():
            armed.unlink()
        retried = stage.wait(steering.retry(stage.database, job))
    assert retried.accounts.quarantined == 0
    check_job(stage.database, job.id, quiet)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", SCHEDULER_POINTS)
def test_a_drop_whose_scheduler_is_killed_becomes_one_job(
    stage: Stage, digits: Path, quiet: dict[str, int | None], point: str
) -> None:
    name = f"drop-{point}"
    drop = stage.settings.inbox_folder / name
    drop.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(digits, drop)
    armed = stage.arm(point)
    with stage.scheduler() as first:
        wait_until(lambda: first.exit_code is not None, f"the scheduler dies at {point}", PATIENCE)
    with stage.scheduler():
        wait_until(lambda: filed_folder(stage, name), f"{name} is filed away", PATIENCE)
    assert not armed.exists()
    (job,) = jobs_named(stage, name)
    assert job.state is JobState.DONE
    check_job(stage.database, job.id, quiet)
    assert files_below(filed_folder(stage, name)) == {*quiet, "predictions.csv", "summary.txt"}


@pytest.mark.timeout(300)
def test_batches_that_redis_forgot_are_sent_again(stage: Stage, digits: Path, quiet: dict[str, int | None]) -> None:
    job = stage.submit(digits)
    with stage.redis.client() as client:
        client.flushall()
    with stage.scheduler():
        stage.wait(job)
    check_job(stage.database, job.id, quiet)


@pytest.mark.timeout(300)
def test_a_name_that_is_dropped_twice_makes_two_jobs_and_equal_bytes_are_both_scored(
    stage: Stage, digits: Path, quiet: dict[str, int | None]
) -> None:
    inbox = stage.settings.inbox_folder
    inbox.mkdir(parents=True, exist_ok=True)
    with stage.scheduler():
        for times in (1, 2):
            shutil.copytree(digits, inbox / "again")
            wait_until(lambda: not (inbox / "again").exists(), "the drop is claimed", PATIENCE)
            wait_until(lambda times=times: len(jobs_named(stage, "again")) == times, "it is a job", PATIENCE)
        found = [stage.wait(job) for job in jobs_named(stage, "again")]
    for job in found:
        check_job(stage.database, job.id, quiet)


@pytest.mark.timeout(300)
def test_what_was_dropped_while_the_scheduler_was_down_is_found_at_its_start(
    stage: Stage, digits: Path, quiet: dict[str, int | None]
) -> None:
    shutil.copytree(digits, stage.settings.inbox_folder / "early", dirs_exist_ok=True)
    with stage.scheduler():
        (job,) = wait_until(lambda: jobs_named(stage, "early"), "the early drop is a job", PATIENCE)
        stage.wait(job)
    check_job(stage.database, job.id, quiet)
    assert ended(stage.database, job.id)


def jobs_named(stage: Stage, name: str) -> list[Job]:
    """The jobs of a name."""
    return [job for job in jobs.newest(stage.database, 100) if job.name == name]


def filed_folder(stage: Stage, name: str) -> Path | None:
    """The folder in done/ that a drop was filed as."""
    found = list(stage.settings.done_folder.glob(f"*-{name}-*"))
    return found[0] if found else None
