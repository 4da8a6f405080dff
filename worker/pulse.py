"""Time within a batch: what each stage took, when to renew the lease, when to tell people how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Tells people how far a batch is: images done, images in all.
Progress = Callable[[int, int], None]

#: Seconds between two notes to people.
_NOTE_EVERY = 1.0


class Stopwatch:
    """Sums the seconds of each stage of a batch."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lapped = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count the time since the last lap towards a stage; called a few times a group of images, so it costs next to nothing."""
        now = time.perf_counter()
        self.add(name, now - self._lapped)
        self._lapped = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what runs inside towards a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - started)

    def add(self, name: str, seconds: float) -> None:
        """Count seconds that were measured elsewhere towards a stage."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


class Pulse:
    """Keeps the lease alive and people informed while a batch is worked on."""

    def __init__(self, renew: Callable[[], None], renew_every: float, progress: Progress, size: int) -> None:
        """Start counting now.

        Args:
            renew: renews the lease.
            renew_every: seconds.
            progress: tells people.
            size: images in the batch.
        """
        self._renew, self._renew_every = renew, renew_every
        self._progress, self._size = progress, size
        self._renewed = self._told = time.monotonic()

    def beat(self, done: int) -> None:
        """Called after each group of images, so it must cost next to nothing."""
        now = time.monotonic()
        if now - self._renewed > self._renew_every:
            self._renew()
            self._renewed = now
        if now - self._told > _NOTE_EVERY:
            self._progress(done, self._size)
            self._told = now
