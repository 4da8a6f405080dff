"""tf.data and model.predict, in processes that have a half of the files each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.speed.candidates import TensorFlowData
from benchmarks.speed.peer import Measure, Run
from benchmarks.speed.peers.children import children
from scheduler.folder import list_files


@contextmanager
def opened(peer: TensorFlowData) -> Iterator[Measure]:
    """Start the processes; they have loaded the model before the first folder is timed."""
    with children(peer.processes, _work, peer) as pipes:

        def measure(folder: Path) -> Run:
            begun = time.perf_counter()
            files = list_files(folder)
            for number, pipe in enumerate(pipes):
                pipe.send((folder, files[number :: peer.processes]))
            right = sum(pipe.recv() for pipe in pipes)
            return Run(len(files), time.perf_counter() - begun, right)

        yield measure


def _work(pipe: Connection, peer: TensorFlowData) -> None:
    # Imported here, in the child: TensorFlow is no business of the process that hands out the work.
    pipeline = import_module("benchmarks.speed.peers.pipeline").Pipeline(peer)
    pipe.send("ready")
    while (task := pipe.recv()) is not None:
        pipe.send(pipeline.count_right(*task))
