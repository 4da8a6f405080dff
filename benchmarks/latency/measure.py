"""One image on its way, by the clock of its client."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import LineError
from digitline.client import submit

#: Seconds between two looks at a job.
_POLL = 0.001
#: Longest that one in twenty images may take, in seconds, by what runs beside it.
TARGETS = {"idle": 0.015, "beside a bulk job": 1.0}


@dataclass(frozen=True, slots=True)
class Latency:
    """How long images took."""

    #: What else the line did.
    name: str
    seconds: Sequence[float]

    @property
    def p95(self) -> float:
        """What nineteen of twenty images took at the most, in seconds."""
        return statistics.quantiles(self.seconds, n=20, method="inclusive")[-1]

    def as_record(self) -> dict[str, object]:
        """As an object; seconds."""
        return {
            "name": self.name,
            "images": len(self.seconds),
            "p50": statistics.median(self.seconds),
            "p95": self.p95,
            "slowest": max(self.seconds),
            "target_p95": TARGETS[self.name],
        }

    def as_row(self) -> tuple[str, ...]:
        """As cells of a table; milliseconds."""
        times = (statistics.median(self.seconds), self.p95, max(self.seconds), TARGETS[self.name])
        return (self.name, str(len(self.seconds)), *(f"{1000 * one:.1f}" for one in times))


def measure(folder: Path) -> float:
    """Submit a folder of one image; returns the seconds until its row can be read."""
    begun = time.perf_counter()
    job = submit(folder).wait(poll=_POLL)
    seconds = time.perf_counter() - begun
    if job.accounts.scored != 1:
        raise LineError(f"Job {job.id} has ended with {job.accounts}.")
    return seconds
