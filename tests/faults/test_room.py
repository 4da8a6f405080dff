"""PostgreSQL or Redis answer, and take nothing: the line says so, waits, and goes on; no batch is blamed for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from core import room
from core.errors import LedgerUnwritable, QueueUnwritable
from tests.chaos.scene import SCHEDULER, WORKERS, Scene
from tests.faults.conftest import PATIENCE, check_that_every_worker_scores, finished, row_of, workers_frozen
from tests.full import no_room
from tests.oracle import Expected, attempts, check_job
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(400)


def said(scene: Scene, text: str) -> int:
    """How often the workers said it."""
    return sum(scene.process(name).output.count(text) for name in WORKERS)


@contextmanager
def no_room_for_predictions(scene: Scene) -> Iterator[None]:
    """Let PostgreSQL say of every row with a prediction that its disk is full; all else it takes."""
    with no_room(scene.database):
        yield


@contextmanager
def read_only(scene: Scene) -> Iterator[None]:
    """Let every transaction of every connection only read."""
    scene.postgres.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    scene.postgres.execute("SELECT pg_reload_conf()")
    try:
        wait_until(lambda: not writes(scene), "nothing may be written", PATIENCE)
        yield
    finally:
        with scene.postgres.connect() as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")


def writes(scene: Scene) -> bool:
    """Whether the ledger takes what it is given."""
    try:
        room.check_ledger(scene.database)
    except LedgerUnwritable:
        return False
    return True


@pytest.mark.parametrize("fault", [no_room_for_predictions, read_only])
def test_a_batch_that_postgresql_does_not_take_is_recorded_once_it_does_and_at_its_first_attempt(
    scene: Scene, digits: Path, quiet: Expected, fault: Callable[[Scene], AbstractContextManager[None]]
) -> None:
    before, over = said(scene, "takes nothing"), said(scene, "takes what it is given again")
    with workers_frozen(scene):
        job = scene.send(digits)
        lasts = fault(scene)
        lasts.__enter__()
    wait_until(lambda: said(scene, "takes nothing") > before, "a worker says so", PATIENCE)
    # Longer than the worker keeps what it has scored, so that it has to give the batch back.
    wait_until(lambda: row_of(scene, job)["state"] == "queued", "nobody has the batch", PATIENCE)
    lasts.__exit__(None, None, None)
    check_job(scene.database, finished(scene, job).id, quiet)
    assert attempts(scene.database, job.id) == [1]
    # Another worker may have recorded the batch; whoever met the fault knows that it is over once it records one itself.
    check_that_every_worker_scores(scene, digits, quiet)
    wait_until(lambda: said(scene, "takes what it is given again") > over, "it says that it is over", PATIENCE)


@contextmanager
def cannot_save(scene: Scene) -> Iterator[None]:
    """Let Redis fail to write its snapshot, as where its disk is full; it then refuses whatever would change it.

    For longer than a lease, in which workers listen again several times.
    """
    in_the_way = scene.redis.folder / "dump.rdb"
    in_the_way.mkdir()
    (in_the_way / "full").touch()
    with scene.redis.client() as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        try:
            wait_until(lambda: not takes(scene), "Redis takes nothing", PATIENCE)
            yield
            time.sleep(scene.settings.lease_time * 1.5)
        finally:
            client.config_set("save", "")
            (in_the_way / "full").unlink()
            in_the_way.rmdir()


def takes(scene: Scene) -> bool:
    """Whether Redis takes what it is given."""
    line = scene.line()
    try:
        room.check_redis(line.inspector)
    except QueueUnwritable:
        return False
    finally:
        line.close()
    return True


def test_while_redis_cannot_save_a_job_waits_in_the_ledger_and_workers_hear_of_it_afterwards(
    scene: Scene, digits: Path, quiet: Expected, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = scene.process(SCHEDULER)
    told = scheduler.output.count("Redis takes nothing: MISCONF")
    with cannot_save(scene):
        job = scene.send(digits)
        assert f"job {job.id} is in the ledger, its messages follow later: Redis takes nothing: MISCONF" in caplog.text
        scheduler.says("Redis takes nothing: MISCONF", told + 1)
    check_job(scene.database, finished(scene, job).id, quiet)
    check_that_every_worker_scores(scene, digits, quiet)
