"""joblib.Parallel over batches of files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks.speed.candidates import Joblib
from benchmarks.speed.peer import Measure, Run, count_right
from benchmarks.speed.peers.reading import Reader, read_files
from scheduler.folder import list_files
from scheduler.producer import size_of_batches


@contextmanager
def opened(peer: Joblib) -> Iterator[Measure]:
    """Start the pool; the first folder has each process load the model."""
    with Parallel(n_jobs=peer.processes, backend=peer.backend, batch_size=1) as pool:

        def measure(folder: Path) -> Run:
            begun = time.perf_counter()
            files = list_files(folder)
            size = min(peer.batch_size, size_of_batches(len(files)))
            parts = [files[start : start + size] for start in range(0, len(files), size)]
            labels = np.concatenate(pool(delayed(_labels)(folder, part) for part in parts))
            return Run(len(files), time.perf_counter() - begun, count_right(files, labels.tolist()))

        yield measure


def _labels(folder: Path, files: list[str]) -> NDArray[np.int64]:
    return _reader().labels(read_files(folder, files))


@cache
def _reader() -> Reader:
    """The reader of a process, made once."""
    return Reader()
