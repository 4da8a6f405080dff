"""Workers are frozen, told to stop and cut off in the middle of a batch; its rows are written once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from core.ledger import results
from core.queues import make_app
from core.vocabulary import BatchState, Job
from tests.chaos.scene import WORKERS, Scene
from tests.core.racing import wait_for_blocked
from tests.digits import digit_folder
from tests.faults.conftest import (
    DIGITS,
    PATIENCE,
    finished,
    lasting_leases,
    nobody_writes_predictions,
    row_of,
    scorer_of,
    signal_all,
)
from tests.oracle import Expected, attempts, check_job, labels_of
from tests.processes import members_of_session
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(400)

#: Pixels of a side of those that take a worker long enough to be frozen over.
LARGE = 2500
#: Number of the lock that a commit waits for.
GATE = 42

WAIT_AT_COMMIT = f"""
CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON predictions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait_at_the_gate();
"""
WAIT_NO_MORE = "DROP TRIGGER gate ON predictions; DROP FUNCTION wait_at_the_gate()"


def holder(scene: Scene, job: Job) -> tuple[str, list[int]]:
    """The worker that has the job's one batch, and all its processes, the one that scores among them."""
    child = scorer_of(scene, job)
    for name in WORKERS:
        family = members_of_session(scene.process(name).pid)
        if child in family:
            return name, family
    raise AssertionError(f"No worker has a process {child}.")


def said(scene: Scene, text: str) -> int:
    """How often the workers said it."""
    return sum(scene.process(name).output.count(text) for name in WORKERS)


@contextmanager
def nobody_commits_predictions(scene: Scene) -> Iterator[None]:
    """Let a worker get into its COMMIT, and wait there."""
    with scene.postgres.connect("chaos") as connection:
        connection.execute(WAIT_AT_COMMIT.encode())
        connection.execute("SELECT pg_advisory_lock(%s)", [GATE])
        try:
            yield
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [GATE])
            connection.execute(WAIT_NO_MORE.encode())


def deliver_again(scene: Scene) -> None:
    """Have every message that nobody acknowledged delivered again, as does any app that starts to listen.

    The shortest visibility timeout among the apps that share a Redis counts for all of them.
    """
    app = make_app(scene.settings.model_copy(update={"visibility_timeout": 0}))
    with app.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible(interval=1)
    app.close()


def test_the_second_copy_of_a_batch_that_outlasts_the_visibility_timeout_is_left_alone(
    scene: Scene, digits: Path, quiet: Expected
) -> None:
    before = said(scene, "left alone: the batch is leased")
    with lasting_leases(scene), nobody_writes_predictions(scene):
        job = scene.send(digits)
        wait_for_blocked(scene.database, 1)
        deliver_again(scene)
        wait_until(lambda: said(scene, "left alone: the batch is leased") > before, "the copy is left alone", PATIENCE)
    check_job(scene.database, finished(scene, job).id, quiet)
    assert attempts(scene.database, job.id) == [1]


@pytest.fixture(scope="module")
def large(scene: Scene) -> Path:
    """A folder of digits as large as scans of a whole page."""
    folder = digit_folder(scene.folder / "large", DIGITS)
    for path in folder.glob("*/*.png"):
        image = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (LARGE, LARGE), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return folder


def frozen_over(scene: Scene, folder: Path) -> tuple[Job, str, list[int]]:
    """A job whose worker is frozen after its claim and before its first row; the worker's name and processes."""
    for _ in range(20):
        job = scene.send(folder)
        wait_until(lambda job=job: row_of(scene, job)["state"] != "queued", "it is claimed", PATIENCE, 0.005)
        name, family = holder(scene, job)
        signal_all(family, signal.SIGSTOP)
        if row_of(scene, job)["state"] == BatchState.LEASED.value:
            return job, name, family
        signal_all(family, signal.SIGCONT)  # it was quicker
    raise AssertionError("No worker could be frozen over a batch.")


def test_a_worker_that_is_frozen_past_its_lease_writes_no_row_and_says_so(scene: Scene, large: Path) -> None:
    expected = labels_of(scene.database, finished(scene, scene.send(large)).id)
    job, name, family = frozen_over(scene, large)
    before = scene.process(name).output.count("was taken over by another worker; nothing was written")
    try:
        finished(scene, job)
        recorded = list(results.of_job(scene.database, job.id)), row_of(scene, job)
    finally:
        signal_all(family, signal.SIGCONT)
    scene.process(name).says("was taken over by another worker; nothing was written", before + 1)
    scene.process(name).says("left alone: another worker took the batch over")
    assert (list(results.of_job(scene.database, job.id)), row_of(scene, job)) == recorded
    assert scorer_of(scene, job) not in family
    assert attempts(scene.database, job.id) == [2]
    check_job(scene.database, job.id, expected)


def test_a_worker_that_is_told_twice_to_stop_gives_back_what_it_cannot_finish(
    scene: Scene, digits: Path, quiet: Expected
) -> None:
    with nobody_writes_predictions(scene):
        job = scene.send(digits)
        wait_for_blocked(scene.database, 1)
        name, _ = holder(scene, job)
        worker = scene.process(name)
        worker.send(signal.SIGTERM)
        worker.says("terminating in")
        worker.send(signal.SIGTERM)
        worker.says("Waiting gracefully for cold shutdown")
        wait_until(lambda: "told to stop" in str(row_of(scene, job)["error"]), "the batch is given back", PATIENCE)
        wait_until(lambda: worker.exit_code is not None, "the worker ends", PATIENCE)
    check_job(scene.database, finished(scene, job).id, quiet)
    assert attempts(scene.database, job.id) == [1]


def told_to_stop(scene: Scene, job: Job) -> None:
    """Have the worker that has the batch stop, and wait until it is gone."""
    worker = scene.process(holder(scene, job)[0])
    worker.send(signal.SIGTERM)
    wait_until(lambda: worker.exit_code is not None, "the worker ends", PATIENCE)


def cut_off(scene: Scene, _job: Job) -> None:
    """Cut every connection to PostgreSQL."""
    assert scene.postgres_proxy.reset() > 0


@pytest.mark.parametrize("fault", [cut_off, told_to_stop])
def test_a_batch_whose_worker_never_learns_how_its_commit_ended_is_recorded_once(
    scene: Scene, digits: Path, quiet: Expected, fault: Callable[[Scene, Job], None]
) -> None:
    with nobody_commits_predictions(scene):
        job = scene.send(digits)
        wait_for_blocked(scene.database, 1)
        fault(scene, job)
    check_job(scene.database, finished(scene, job).id, quiet)
