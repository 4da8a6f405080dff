"""Processes that are given work over pipes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

#: Spawned: TensorFlow does not survive a fork.
SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def children(count: int, work: Callable[..., None], *arguments: object) -> Iterator[list[Connection]]:
    """Start processes and wait until each says that it is ready.

    Args:
        count: of processes.
        work: a function of a module; its pipe comes before its arguments. It sends anything once it is ready, then
            answers each task, and returns on None.
        arguments: for every process.

    Yields:
        The pipes to them.
    """
    with ExitStack() as stack:
        pipes = []
        for _ in range(count):
            ours, theirs = SPAWN.Pipe()
            child = SPAWN.Process(target=work, args=(theirs, *arguments))
            child.start()
            theirs.close()  # so that a child's death ends the wait for its answer
            stack.callback(_end, ours, child)
            pipes.append(ours)
        for pipe in pipes:
            pipe.recv()
        yield pipes


def _end(pipe: Connection, child: SpawnProcess) -> None:
    if child.is_alive():
        pipe.send(None)
    child.join()
