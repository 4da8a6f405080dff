"""While the ledger is away, or takes nothing, a worker waits with what it has, says so once, and goes on by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from core.errors import LedgerUnreachable

log = logging.getLogger(__name__)

#: Seconds between two tries.
_AGAIN = 0.5

Done = TypeVar("Done")


class Outage:
    """The ledger's outage as one process meets it; the log hears of its beginning and its end, not of every try."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def lasts(self) -> bool:
        """True from a step that failed to the next one that works."""
        return self._since is not None

    def sit_out(self, step: Callable[[], Done], seconds: float) -> Done:
        """Do something with the ledger; where that is away or takes nothing, again and again for a while.

        Args:
            step: does nothing, or everything.
            seconds: after which it is tried no more; 0: it is tried once.

        Raises:
            LedgerUnreachable: it lasts longer; what was said at the last try.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                done = step()
            except LedgerUnreachable as error:
                self.note(error)
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_AGAIN)
            else:
                self._end()
                return done

    def note(self, error: LedgerUnreachable) -> None:
        """Remember that the ledger is away; the log hears of it where that is new."""
        if self._since is None:
            log.error("%s %s Nothing is lost; this process waits.", error, error.mend)
            self._since = time.monotonic()

    def _end(self) -> None:
        if self._since is not None:
            log.warning("the ledger takes what it is given again, after %.0f s", time.monotonic() - self._since)
        self._since = None
