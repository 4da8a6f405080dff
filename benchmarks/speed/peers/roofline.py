"""The bare loop: processes that read, decode, preprocess and predict, without queue or database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from benchmarks.speed.candidates import Roofline
from benchmarks.speed.peer import Measure, Run, count_right
from benchmarks.speed.peers.children import SPAWN, children
from scheduler.folder import list_files
from scheduler.producer import size_of_batches


@contextmanager
def opened(peer: Roofline) -> Iterator[Measure]:
    """Start the processes; they have loaded the model before the first folder is timed."""
    counter = SPAWN.Value("q", 0)
    with children(peer.processes, _work, counter) as pipes:

        def measure(folder: Path) -> Run:
            begun = time.perf_counter()
            files = list_files(folder)
            counter.value = 0
            size = min(peer.batch_size, size_of_batches(len(files)))
            for pipe in pipes:
                pipe.send((folder, files, size))
            right = sum(pipe.recv() for pipe in pipes)
            return Run(len(files), time.perf_counter() - begun, right)

        yield measure


def _work(pipe: Connection, counter: Synchronized[int]) -> None:
    # Imported here, in the child: TensorFlow is no business of the process that hands out the work.
    reading = import_module("benchmarks.speed.peers.reading")
    reader = reading.Reader()
    pipe.send("ready")
    while (task := pipe.recv()) is not None:
        folder, files, size = task
        right = 0
        while batch := _next_batch(files, counter, size):
            right += count_right(batch, reader.labels(reading.read_files(folder, batch)).tolist())
        pipe.send(right)


def _next_batch(files: list[str], counter: Synchronized[int], size: int) -> list[str]:
    with counter.get_lock():
        start = counter.value
        counter.value += size
    return files[start : start + size]
