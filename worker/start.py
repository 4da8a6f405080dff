"""How a worker's child spent its start, told in one line once its first batch is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from celery import signals

from worker.pulse import Stopwatch

log = logging.getLogger(__name__)

#: What the line begins with.
STARTED = "started in"


class Start:
    """The parts of one start, in the order in which they came."""

    def __init__(self) -> None:
        self._watch = Stopwatch()
        self._begun: float | None = None
        self._told = False
        self.part = self._watch.stage

    def add(self, seconds: Mapping[str, float]) -> None:
        """Count parts that were measured elsewhere; what happens within the first batch is a part of that."""
        if self._begun is not None:
            return
        for name, value in seconds.items():
            self._watch.add(name, value)

    def begin_batch(self) -> None:
        """A batch begins; only the first one counts."""
        if self._begun is None:
            self._begun = time.perf_counter()

    def end_batch(self) -> None:
        """A batch has been dealt with; tells of the start after the first one."""
        if self._told or self._begun is None:
            return
        self._told = True
        seconds = {**self._watch.seconds, "first batch": time.perf_counter() - self._begun}
        parts = {name: round(value * 1000) for name, value in seconds.items()}
        told = ", ".join(f"{name} {milliseconds}" for name, milliseconds in parts.items())
        log.info("%s %d ms: %s", STARTED, sum(parts.values()), told)


#: Of this process.
start = Start()


@signals.task_prerun.connect
def _begin(**_: Any) -> None:
    start.begin_batch()


@signals.task_postrun.connect
def _end(**_: Any) -> None:
    start.end_batch()
