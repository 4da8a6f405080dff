"""What is due is run beside the scheduler's loop: looking at a million files takes longer than an inbox may wait."""

from __future__ import annotations

import threading

from core.ledger import schedules as ledger
from scheduler.producer import Line
from scheduler.schedules import run_due
from scheduler.setbacks import Setbacks


class Timetable:
    """Runs one schedule after the other in a thread of its own, on connections of its own."""

    def __init__(self, line: Line, setbacks: Setbacks) -> None:
        """Run nothing yet.

        Args:
            line: the servers, as the loop has them.
            setbacks: learns what a run meets.
        """
        self._line, self._setbacks = line, setbacks
        self._running: threading.Thread | None = None
        self._worked = True

    def turn(self, *, wait: bool = False) -> bool:
        """Begin to run what is due, unless something is being run; a process that ends leaves it due.

        Args:
            wait: whether to return only once it was run.

        Returns:
            Whether nothing went wrong when something was run last, and now.
        """
        if self._running is not None and self._running.is_alive():
            return True
        if not self._setbacks.attempt("what is due", self._begin):
            return False
        if wait and self._running is not None:
            self._running.join()
        return self._worked

    def _begin(self) -> None:
        # Asked here: on most turns nothing is due, and no thread is wanted.
        if ledger.due(self._line.database):
            # A daemon, for nobody waits for it at the end: what it has not committed is due still.
            self._running = threading.Thread(target=self._run, name="schedules", daemon=True)
            self._running.start()

    def _run(self) -> None:
        line = Line.open(self._line.settings)
        try:
            self._worked = self._setbacks.attempt("the schedules", lambda: run_due(line))
        finally:
            line.close()
