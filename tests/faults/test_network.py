"""Redis and PostgreSQL die, hang and lose their connections while the line works; it goes on as soon as they are back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.scene import Scene
from tests.faults.conftest import check_that_every_worker_scores, finished
from tests.oracle import Expected, check_job

pytestmark = pytest.mark.timeout(600)

RESTARTS = 20
#: Seconds within which every worker scores again: 30, and as many more where the machine has other things to do.
RECOVERY = 60.0


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
    check_job(scene.database, finished(scene, before, RECOVERY).id, quiet)
    check_that_every_worker_scores(scene, digits, quiet, RECOVERY)


def test_workers_whose_connections_are_cut_again_and_again_hear_of_every_job(
    scene: Scene, digits: Path, quiet: Expected
) -> None:
    for _ in range(8):
        check_that_every_worker_scores(scene, digits, quiet, RECOVERY)
        cut_redis(scene)
    check_that_every_worker_scores(scene, digits, quiet, RECOVERY)


def test_redis_may_be_killed_twenty_times(scene: Scene, digits: Path, quiet: Expected) -> None:
    found = []
    for _ in range(RESTARTS):
        found.append(scene.send(digits))
        scene.redis.kill()
        scene.redis.start()
    for job in found:
        check_job(scene.database, finished(scene, job, RECOVERY).id, quiet)
    check_that_every_worker_scores(scene, digits, quiet, RECOVERY)
