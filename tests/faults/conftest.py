"""A line of two workers behind proxies, started once for all tests of faults that need one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.ledger import jobs
from core.vocabulary import Job, JobState
from tests.chaos.scene import WORKERS, Scene
from tests.digits import digit_folder
from tests.oracle import Expected, labels_of
from tests.processes import members_of_session
from tests.waiting import wait_until

#: One batch.
DIGITS = 12
#: Seconds until a job is done, though a worker may have to load TensorFlow anew first.
PATIENCE = 120.0


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two workers that stop as in a container: SIGTERM gives them some seconds, not all the time they want."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REMAP_SIGTERM", "SIGQUIT")
        with Scene(tmp_path_factory.mktemp("workers")) as made:
            yield made


@pytest.fixture(scope="package")
def digits(scene: Scene) -> Path:
    """A folder of digits."""
    return digit_folder(scene.folder / "digits", DIGITS)


@pytest.fixture(scope="package")
def quiet(scene: Scene, digits: Path) -> Expected:
    """By path, the label that a run without a fault gives."""
    return labels_of(scene.database, finished(scene, scene.send(digits)).id)


def finished(scene: Scene, job: Job) -> Job:
    """Wait until a job is done."""

    def done() -> Job | None:
        found = jobs.get(scene.database, job.id)
        return found if found.state is JobState.DONE else None

    return wait_until(done, f"job {job.id} is done", PATIENCE)


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
