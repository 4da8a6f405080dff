"""While the ledger is away, or takes nothing, a worker waits with what it has, says so, and goes on by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from core.errors import LedgerUnreachable, LedgerUnwritable

log = logging.getLogger(__name__)

#: Seconds between two tries.
_AGAIN = 0.5
#: Seconds after which an outage that lasts is said again.
_REMINDER = 600.0

Done = TypeVar("Done")


class Outage:
    """The ledger's outage as one process meets it.

    The log hears of its beginning and its end, and now and then while it lasts; not of every try, nor of every batch.
    """

    def __init__(self) -> None:
        #: True from a step that failed to the next one that works.
        self.lasts = False
        #: What the log was told last, until it is told of the end; when that was, and when it all began (seconds, monotonic).
        self._told: type[LedgerUnreachable] | None = None
        self._told_at = self._since = 0.0

    def sit_out(self, step: Callable[[], Done], seconds: float, *, fills: bool = False) -> Done:
        """Do something with the ledger; where that is away or takes nothing, again and again for a while.

        Args:
            step: does nothing, or everything.
            seconds: after which it is tried no more; 0: it is tried once.
            fills: it writes rows. A ledger without room may do all else, and only this shows that it has room again.

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
                self.lasts = False
                if fills or self._told is not LedgerUnwritable:
                    self._end()
                return done

    def note(self, error: LedgerUnreachable) -> None:
        """Remember that the ledger is away; the log hears of it where that is new, or was said long ago."""
        self.lasts = True
        now = time.monotonic()
        if self._told is None:
            self._since = now
        elif self._told is type(error) and now - self._told_at < _REMINDER:
            return
        log.error("%s %s Nothing is lost; this process waits.", error, error.mend)
        self._told, self._told_at = type(error), now

    def _end(self) -> None:
        if self._told is not None:
            log.warning("the ledger takes what it is given again, after %.0f s", time.monotonic() - self._since)
        self._told = None
