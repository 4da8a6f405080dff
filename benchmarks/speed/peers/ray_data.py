"""Ray Data: files to a pool of actors to Parquet."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray

from benchmarks.speed.candidates import RayData
from benchmarks.speed.peer import Measure, Run, count_right
from benchmarks.speed.peers.reading import Reader
from scheduler.folder import list_files
from scheduler.producer import size_of_batches


class Actor:
    """Labels batches, and stamps each with the time of its beginning and of its end."""

    def __init__(self) -> None:
        self._reader = Reader()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Read a batch: `bytes` and `path` in; `path`, `label`, `begun` and `ended` out."""
        begun = time.time()
        labels = self._reader.labels(batch["bytes"])
        stamps = {"begun": np.full(len(labels), begun), "ended": np.full(len(labels), time.time())}
        return {"path": batch["path"], "label": labels, **stamps}


@contextmanager
def opened(peer: RayData) -> Iterator[Measure]:
    """Start Ray; its actors are started for each folder, and load the model before their first batch."""
    # Sockets lie below it, and their paths may have 104 bytes.
    folder = Path(mkdtemp(prefix="dl-ray-", dir="/tmp"))
    ray.init(num_cpus=peer.logical_cpus, include_dashboard=False, log_to_driver=False, _temp_dir=str(folder))
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield lambda images: _measure(images, folder / f"out-{time.monotonic_ns()}", peer)
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _measure(images: Path, output: Path, peer: RayData) -> Run:
    size = min(peer.batch_size, size_of_batches(len(list_files(images))))
    files = ray.data.read_binary_files(str(images), include_paths=True)
    pool = ray.data.ActorPoolStrategy(size=peer.processes)
    files.map_batches(Actor, batch_size=size, compute=pool, num_cpus=1).write_parquet(str(output))
    table = pq.read_table(output)
    seconds = pc.max(table["ended"]).as_py() - pc.min(table["begun"]).as_py()
    names = [str(Path(path).relative_to(images)) for path in table["path"].to_pylist()]
    return Run(table.num_rows, seconds, count_right(names, table["label"].to_pylist()))
