"""A line of two workers behind proxies, started once for all tests of faults that need one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.ledger import batches, jobs
from core.vocabulary import BatchState, Job, JobState, Runtime
from tests.chaos.scene import WORKERS, Scene
from tests.core.examples import batch_row
from tests.digits import digit_folder
from tests.models import fast_alone
from tests.oracle import Expected, check_job, labels_of
from tests.processes import members_of_session
from tests.waiting import wait_until

#: One batch.
DIGITS = 12
#: Seconds until a job is done, though a worker may have to load TensorFlow anew first.
PATIENCE = 120.0

LAST_LONGER = """
CREATE FUNCTION last_an_hour_longer() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.lease_until := NEW.lease_until + interval '1 hour'; RETURN NEW; END $$;
CREATE TRIGGER lasting BEFORE UPDATE OF lease_until ON batches FOR EACH ROW EXECUTE FUNCTION last_an_hour_longer();
"""
LAST_NO_LONGER = "DROP TRIGGER lasting ON batches; DROP FUNCTION last_an_hour_longer()"


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two workers that stop as in a container: SIGTERM gives them some seconds, not all the time they want.

    Theirs is the fast network alone, by LiteRT: many of them are lost here, and what their successors load costs the most.
    """
    folder = tmp_path_factory.mktemp("workers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMAP_SIGTERM", "SIGQUIT")
        patch.setenv("DIGITLINE_MODEL", str(fast_alone(folder / "fast")))
        patch.setenv("DIGITLINE_RUNTIME", Runtime.LITERT.value)
        with Scene(folder) as made:
            yield made


@pytest.fixture(scope="package")
def digits(scene: Scene) -> Path:
    """A folder of digits."""
    return digit_folder(scene.folder / "digits", DIGITS)


@pytest.fixture(scope="package")
def quiet(scene: Scene, digits: Path) -> Expected:
    """By path, the label that a run without a fault gives."""
    return labels_of(scene.database, finished(scene, scene.send(digits)).id)


def finished(scene: Scene, job: Job, patience: float = PATIENCE) -> Job:
    """Wait until a job is done."""

    def done() -> Job | None:
        found = jobs.get(scene.database, job.id)
        return found if found.state is JobState.DONE else None

    return wait_until(done, f"job {job.id} is done", patience)


def check_that_every_worker_scores(
    scene: Scene, digits: Path, quiet: Expected, patience: float = PATIENCE
) -> frozenset[int]:
    """Give each worker a batch to score while the others have theirs, so that none stands in for another that is deaf.

    Every other job must be done.

    Returns:
        The processes that scored.
    """
    with lasting_leases(scene), nobody_writes_predictions(scene):
        sent = [scene.send(digits) for _ in WORKERS]

        def taken() -> bool:
            return all(row_of(scene, job)["state"] == BatchState.LEASED.value for job in sent)

        wait_until(taken, "every worker has a batch", patience)
    for job in sent:
        check_job(scene.database, finished(scene, job, patience).id, quiet)
    scorers = frozenset(scorer_of(scene, job) for job in sent)
    assert len(scorers) == len(WORKERS)
    return scorers


def row_of(scene: Scene, job: Job) -> dict[str, object]:
    """The job's one batch, as the table has it."""
    (batch,) = batches.of_job(scene.database, job.id)
    return batch_row(scene.database, batch)


def scorer_of(scene: Scene, job: Job) -> int:
    """The process that has the job's one batch, or had it last."""
    return int(str(row_of(scene, job)["worker"]).rpartition(":")[2])


@contextmanager
def nobody_writes_predictions(scene: Scene) -> Iterator[None]:
    """Let a worker get as far as its first row, and wait there."""
    with scene.database.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE predictions IN SHARE MODE")
        yield


@contextmanager
def lasting_leases(scene: Scene) -> Iterator[None]:
    """Let no lease run out, however slow the machine is."""
    with scene.postgres.connect("chaos") as connection:
        connection.execute(LAST_LONGER.encode())
        try:
            yield
        finally:
            connection.execute(LAST_NO_LONGER.encode())


def signal_all(family: list[int], number: signal.Signals) -> None:
    """Send a signal to every process."""
    for process_id in family:
        os.kill(process_id, number)


@contextmanager
def workers_frozen(scene: Scene) -> Iterator[None]:
    """Let no worker do anything as long as the block lasts."""
    everybody = [process_id for name in WORKERS for process_id in members_of_session(scene.process(name).pid)]
    signal_all(everybody, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_all(everybody, signal.SIGCONT)
