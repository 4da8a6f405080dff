"""Redis and PostgreSQL die, hang and lose their connections while the line works; it goes on as soon as they are back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.ledger import jobs
from core.vocabulary import Job, JobState
from tests.chaos.scene import WORKERS, Scene
from tests.digits import digit_folder
from tests.oracle import Expected, check_job, labels_of
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(600)

DIGITS = 30  # 2 batches
#: Seconds within which the line scores again after a fault.
RECOVERY = 30.0
RESTARTS = 20


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A line behind proxies."""
    with Scene(tmp_path_factory.mktemp("scene"), workers=WORKERS[:1]) as made:
        yield made


@pytest.fixture(scope="module")
def digits(scene: Scene) -> Path:
    """A folder of digits."""
    return digit_folder(scene.folder / "digits", DIGITS)


@pytest.fixture(scope="module")
def quiet(scene: Scene, digits: Path) -> Expected:
    """By path, the label that a run without a fault gives."""
    job = scene.send(digits)
    wait(scene, job)
    return labels_of(scene.database, job.id)


def wait(scene: Scene, job: Job) -> None:
    """Wait until a job is done."""
    wait_until(
        lambda: jobs.get(scene.database, job.id).state is JobState.DONE, f"job {job.id} is done", RECOVERY, interval=0.2
    )


def black_hole(scene: Scene) -> None:
    """Let nothing through to Redis for longer than a lease."""
    with scene.redis_proxy.black_hole():
        time.sleep(scene.settings.lease_time * 1.5)


def black_hole_that_ends_in_a_cut(scene: Scene) -> None:
    """The same, and then every connection is gone."""
    with scene.redis_proxy.black_hole():
        time.sleep(scene.settings.lease_time * 1.5)
        scene.redis_proxy.reset()


def cut_redis(scene: Scene) -> None:
    """Cut every connection to Redis."""
    assert scene.redis_proxy.reset() > 0


def cut_postgres(scene: Scene) -> None:
    """Cut every connection to PostgreSQL that there is."""
    scene.postgres_proxy.reset()


def kill_postgres(scene: Scene) -> None:
    """End PostgreSQL at once, and start it again."""
    scene.postgres.kill()
    scene.postgres.start()


@pytest.mark.parametrize("fault", [black_hole, black_hole_that_ends_in_a_cut, cut_postgres, kill_postgres])
def test_the_line_scores_again_soon_after(
    scene: Scene, digits: Path, quiet: Expected, fault: Callable[[Scene], None]
) -> None:
    before = scene.send(digits)
    fault(scene)
    after = scene.send(digits)
    for job in (before, after):
        wait(scene, job)
        check_job(scene.database, job.id, quiet)


def test_a_worker_whose_connections_are_cut_again_and_again_hears_of_every_job(
    scene: Scene, digits: Path, quiet: Expected
) -> None:
    for _ in range(8):
        job = scene.send(digits)
        wait(scene, job)
        cut_redis(scene)
    job = scene.send(digits)
    wait(scene, job)
    check_job(scene.database, job.id, quiet)


def test_redis_may_be_killed_twenty_times(scene: Scene, digits: Path, quiet: Expected) -> None:
    found = []
    for _ in range(RESTARTS):
        found.append(scene.send(digits))
        scene.redis.kill()
        scene.redis.start()
    for job in found:
        wait(scene, job)
        check_job(scene.database, job.id, quiet)
