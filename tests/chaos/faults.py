"""What is done to the line, by name; each fault returns once it is over and the line has all it needs again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable

import redis

from tests.chaos.scene import SCHEDULER, WORKERS, Scene
from tests.points import SCHEDULER_POINTS, WORKER_POINTS
from tests.processes import members_of_session

#: Seconds that something hangs: shorter and longer than the lease.
_HANGS = (1.0, 9.0)


def kill_worker(scene: Scene, rng: random.Random) -> None:
    """End a worker with all its children, as a host that loses power."""
    scene.process(rng.choice(WORKERS)).close()


def kill_a_child(scene: Scene, rng: random.Random) -> None:
    """End one process of a worker: the pool's parent, a child, or a sandbox."""
    _signal(rng.choice(_family(scene, rng.choice(WORKERS))), signal.SIGKILL)


def kill_scheduler(scene: Scene, _rng: random.Random) -> None:
    """End the scheduler."""
    scene.process(SCHEDULER).close()


def stop_and_go_on(scene: Scene, rng: random.Random) -> None:
    """Freeze a worker or the scheduler for a while, past its lease or not."""
    family = _family(scene, rng.choice((*WORKERS, SCHEDULER)))
    for pid in family:
        _signal(pid, signal.SIGSTOP)
    time.sleep(rng.uniform(*_HANGS))
    for pid in family:
        _signal(pid, signal.SIGCONT)


def terminate(scene: Scene, rng: random.Random) -> None:
    """Tell a worker or the scheduler to stop."""
    _signal(scene.process(rng.choice((*WORKERS, SCHEDULER))).pid, signal.SIGTERM)


def arm_a_crash_point(scene: Scene, rng: random.Random) -> None:
    """Let the next process that gets to a point die there."""
    assert scene.settings.crash_points is not None
    (scene.settings.crash_points / rng.choice(WORKER_POINTS + SCHEDULER_POINTS)).touch()


def flush_redis(scene: Scene, _rng: random.Random) -> None:
    """Let Redis forget everything."""
    with contextlib.suppress(redis.RedisError), scene.redis.client() as client:
        client.flushall()


def kill_redis(scene: Scene, rng: random.Random) -> None:
    """End Redis at once, and start it again after a while."""
    scene.redis.kill()
    time.sleep(rng.uniform(0, 3))
    scene.redis.start()


def kill_postgres(scene: Scene, rng: random.Random) -> None:
    """End PostgreSQL at once, and start it again after a while."""
    scene.postgres.kill()
    time.sleep(rng.uniform(0, 3))
    scene.postgres.start()


def reset_connections(scene: Scene, rng: random.Random) -> None:
    """Cut every connection to a server."""
    rng.choice((scene.redis_proxy, scene.postgres_proxy)).reset()


def black_hole(scene: Scene, rng: random.Random) -> None:
    """Let nothing through to a server for a while, and cut what hung half of the times."""
    proxy = rng.choice((scene.redis_proxy, scene.postgres_proxy))
    with proxy.black_hole():
        time.sleep(rng.uniform(*_HANGS))
        if rng.random() < 0.5:
            proxy.reset()


#: Each fault, and how often it comes beside the others.
FAULTS: dict[Callable[[Scene, random.Random], None], float] = {
    kill_worker: 2,
    kill_a_child: 3,
    kill_scheduler: 2,
    stop_and_go_on: 3,
    terminate: 2,
    arm_a_crash_point: 4,
    flush_redis: 2,
    kill_redis: 2,
    kill_postgres: 2,
    reset_connections: 3,
    black_hole: 2,
}


def _family(scene: Scene, name: str) -> list[int]:
    pid = scene.process(name).pid
    return sorted({pid, *members_of_session(pid)})


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it went by itself
        os.kill(pid, number)
