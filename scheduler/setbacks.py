"""What the scheduler's steps run into: said when it begins, now and then while it lasts, and when it is over."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from core.errors import DigitlineError, DiskFull, LedgerUnreachable, LedgerUnwritable, QueueUnwritable

log = logging.getLogger(__name__)

#: Seconds after which a setback that lasts is said again.
_AGAIN = 600.0
#: What a system call says where there is no room, or where nothing may be written.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

#: Where there may be no room, and by which error it is known.
PARTS: dict[str, type[DigitlineError]] = {"ledger": LedgerUnwritable, "redis": QueueUnwritable, "disk": DiskFull}


@dataclass(slots=True)
class _Setback:
    error: DigitlineError | OSError
    #: When it began and when it was said last, in seconds, monotonic.
    since: float
    said: float


class Setbacks:
    """The steps that fail now; read by other threads, too."""

    def __init__(self) -> None:
        self._lasting: dict[str, _Setback] = {}

    def attempt(self, name: str, step: Callable[[], object]) -> bool:
        """Do a step; where a server does not answer or a disk is full, say so and go on: the next round tries again.

        Args:
            name: of the step, for people.
            step: is repeated by the caller, sooner or later.

        Returns:
            Whether it worked.
        """
        try:
            step()
        except (DigitlineError, OSError) as error:
            self._note(name, error)
            return False
        setback = self._lasting.pop(name, None)
        if setback is not None:
            log.warning("%s: it works again, after %.0f s", name, time.monotonic() - setback.since)
        return True

    def forget(self, kind: str, but: Collection[str]) -> None:
        """Forget the setbacks of steps whose names begin so, but for some: the others are not to be done any more."""
        for name in [name for name in list(self._lasting) if name.startswith(kind) and name not in but]:
            del self._lasting[name]

    def without_room(self) -> dict[str, bool]:
        """By part of the line, whether a step found no room there, or that nothing may be written."""
        errors = [setback.error for setback in list(self._lasting.values())]
        found = {part: any(isinstance(error, kind) for error in errors) for part, kind in PARTS.items()}
        found["disk"] |= any(isinstance(error, OSError) and error.errno in _NO_ROOM for error in errors)
        return found

    def outage(self) -> float:
        """Seconds for which the ledger has been away, or has taken nothing; 0 while it works."""
        began = [setback.since for setback in self._lasting.values() if isinstance(setback.error, LedgerUnreachable)]
        return time.monotonic() - min(began) if began else 0.0

    def _note(self, name: str, error: DigitlineError | OSError) -> None:
        now = time.monotonic()
        before = self._lasting.get(name)
        if before is None or not _alike(before.error, error):
            since = now if before is None else before.since
            self._lasting[name] = before = _Setback(error, since, -_AGAIN)
        if now - before.said < _AGAIN:
            return
        before.said = now
        said = f"{error} {error.mend}".strip() if isinstance(error, DigitlineError) else f"{error}."
        log.error("%s: %s Trying again, and saying so once it works.", name, said)


def _alike(one: BaseException, other: BaseException) -> bool:
    """Whether two errors are one setback; the texts may name the file of a moment."""
    return type(one) is type(other) and getattr(one, "errno", None) == getattr(other, "errno", None)
