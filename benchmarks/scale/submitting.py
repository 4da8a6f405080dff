"""`python -m benchmarks.scale.submitting FOLDER`: what a scheduler needs to submit a folder and to sweep behind it."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from core.settings import get_settings
from core.vocabulary import Labels, Trigger
from scheduler import process  # noqa: F401  # all that a scheduler loads
from scheduler.producer import Line, plan, submit
from scheduler.sweep import sweep

_STATUS = Path("/proc/self/status")
_SWEEPS = 3


@dataclass(frozen=True, slots=True)
class Submitted:
    """A folder, submitted by a process of its own."""

    job: int
    images: int
    batches: int
    #: Seconds to list and cut the folder, done once before; and to submit it, which does it again.
    listing: float
    seconds: float
    #: Seconds of the slowest sweep while every batch waits in Redis.
    sweep: float
    #: Greatest memory of the process in MB: before anything was done, after the submission, and after the sweeps.
    memory: tuple[float, float, float]


def measure(folder: Path) -> Submitted:
    """Submit a folder to the line of this process's settings, and sweep."""
    line = Line.open(get_settings())
    line.database.check_revision()
    before = peak_memory()
    begun = time.perf_counter()
    plan(line.settings, folder, name=None, labels=Labels.AUTO, queue=None, triggered_by=Trigger.CLI, claim=None)
    listing = time.perf_counter() - begun
    begun = time.perf_counter()
    job = submit(line, folder, triggered_by=Trigger.CLI)
    seconds = time.perf_counter() - begun
    submitted = peak_memory()
    sweeps = [_sweep_seconds(line) for _ in range(_SWEEPS)]
    memory = (before, submitted, peak_memory())
    return Submitted(job.id, job.accounts.found, job.batches, listing, seconds, max(sweeps), memory)


def peak_memory() -> float:
    """The greatest memory of this process so far, in MB."""
    if _STATUS.exists():
        # ru_maxrss would count what the process that started this one had in memory.
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _sweep_seconds(line: Line) -> float:
    begun = time.perf_counter()
    sweep(line)
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Path(sys.argv[1])))))
