"""Children of a pool that die and have a successor, and what a successor shares with its parent: nothing that matters."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.chaos.scene import WORKERS, Scene
from tests.faults.conftest import check_that_every_worker_scores
from tests.oracle import Expected
from tests.processes import members_of_session
from worker.process import READY

#: Of the files that a process has mapped, those of the libraries that run networks; none of them survives a fork.
RUNTIMES = ("tensorflow", "ai_edge_litert")


def replace_children(scene: Scene, digits: Path, quiet: Expected, times: int) -> None:
    """Kill the child of every worker that many times; the first children and each successor are looked at."""
    workers = [scene.process(name) for name in WORKERS]
    check_children(scene, digits, quiet)
    for _ in range(times):
        ready = [worker.output.count(READY) for worker in workers]
        for worker in workers:
            os.kill(child_of(worker.pid), signal.SIGKILL)
        for worker, before in zip(workers, ready, strict=True):
            worker.says(READY, before + 1)
        check_children(scene, digits, quiet)
    assert [scene.process(name) for name in WORKERS] == workers


def check_children(scene: Scene, digits: Path, quiet: Expected) -> None:
    """Have the child of every worker score a batch, and look at what it and its parent have loaded and opened."""
    families = {child_of(parent): parent for parent in (scene.process(name).pid for name in WORKERS)}
    assert check_that_every_worker_scores(scene, digits, quiet) == families.keys()
    for child, parent in families.items():
        in_parent, in_child = (Path(f"/proc/{process_id}/maps").read_text() for process_id in (parent, child))
        assert [library for library in (*RUNTIMES, "cv2") if library in in_parent] == []
        assert "cv2" in in_child
        assert any(library in in_child for library in RUNTIMES)
        assert connections(parent, scene.redis_proxy.port)
        assert not connections(parent, scene.redis_proxy.port) & connections(child, scene.redis_proxy.port)
        assert not connections(parent, scene.postgres_proxy.port)
        assert connections(child, scene.postgres_proxy.port)


def child_of(parent: int) -> int:
    """The one child of a worker's pool."""
    (child,) = set(members_of_session(parent)) - {parent}
    return child


def connections(process_id: int, port: int) -> set[str]:
    """The sockets of a process that lead to a port of loopback, as /proc names them."""
    with Path("/proc/net/tcp").open() as table:
        there = {f"socket:[{line.split()[9]}]" for line in table if line.split()[2].endswith(f":{port:04X}")}
    opened = set()
    for descriptor in Path(f"/proc/{process_id}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            opened.add(str(descriptor.readlink()))
    return there & opened
