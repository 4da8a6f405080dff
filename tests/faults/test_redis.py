"""Redis is full, or comes back with less than it had; the line says so, and sends again what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.scene import SCHEDULER, WORKERS, Scene
from tests.faults.conftest import finished, workers_frozen
from tests.oracle import Expected, check_job

pytestmark = pytest.mark.timeout(400)


def test_while_redis_is_full_a_job_waits_in_the_ledger_and_goes_on_once_there_is_room(
    scene: Scene, digits: Path, quiet: Expected, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = scene.process(SCHEDULER)
    told = scheduler.output.count("Redis takes nothing: ")
    with scene.redis.client() as client:
        client.config_set("maxmemory", "1")
        try:
            job = scene.send(digits)
            assert f"job {job.id} is in the ledger, its messages follow later" in caplog.text
            assert "maxmemory" in caplog.text
            scheduler.says("Redis takes nothing: ", told + 1)
        finally:
            client.config_set("maxmemory", "0")
    check_job(scene.database, finished(scene, job).id, quiet)


def deleted(logs: Path) -> None:
    """Delete the append-only files."""
    shutil.rmtree(logs)


def cut(logs: Path) -> None:
    """Cut the append-only file that is written to in the middle of its last command."""
    (log,) = logs.glob("*.incr.aof")
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 5)


@pytest.mark.parametrize("damage", [deleted, cut])
def test_what_redis_lost_with_its_append_only_file_is_sent_again(
    scene: Scene, digits: Path, quiet: Expected, damage: Callable[[Path], None]
) -> None:
    line = scene.line()
    with workers_frozen(scene):
        sent = [scene.send(digits) for _ in range(len(WORKERS) + 2)]  # each worker holds out its hand for one
        before = len(line.inspector.waiting())
        scene.redis.kill()
        damage(scene.redis.folder / "appendonlydir")
        scene.redis.start()
        assert len(line.inspector.waiting()) < before
    line.close()
    for job in sent:
        check_job(scene.database, finished(scene, job).id, quiet)
