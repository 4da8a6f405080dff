"""When is a drop complete? Looks at it are compared; nothing here moves a file."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from core.sources import OPEN_TO_READ
from scheduler.names import READY_FILE, ignored, on_its_way

#: Seconds of rest after which the temporary file of an upload counts as left behind, and its folder as complete.
UPLOAD_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a drop saw; two equal looks are a sign of rest."""

    #: Files to be scored.
    files: int
    #: Of all files, the hidden and temporary ones too: they tell that an upload goes on.
    bytes: int
    #: Latest change of anything in the drop, nanoseconds of the file system's clock.
    changed: int
    #: True where its sender says that it is complete.
    ready: bool = False
    #: True while a file in it has the temporary name of an upload.
    on_its_way: bool = False


def look_at(drop: Path) -> Look:
    """Look at a file, or at everything below a folder; what vanishes meanwhile counts as a change to come.

    Raises:
        OSError: the drop itself may not be entered.
    """
    seen = list(_below(drop))
    files = [entry for entry in seen if not stat.S_ISDIR(entry.status.st_mode)]
    return Look(
        files=sum(not entry.ignored for entry in files),
        bytes=sum(entry.status.st_size for entry in files),
        changed=max((max(entry.status.st_mtime_ns, entry.status.st_ctime_ns) for entry in seen), default=0),
        ready=_is_ready(drop),
        on_its_way=any(on_its_way(entry.path.name) for entry in files),
    )


def being_written(drop: Path) -> bool:
    """True while some process of this host has a file of the drop open for writing, even if it pauses.

    Linux refuses a read lease on such a file (fcntl(2), "Leases"); where leases are not to be had, False.
    """
    return any(_open_for_writing(entry.path) for entry in _below(drop) if stat.S_ISREG(entry.status.st_mode))


@dataclass
class Tracker:
    """Remembers since when each drop has looked the same."""

    #: Seconds of rest after which a drop is settled.
    settle_time: float
    #: Seconds, monotonic.
    clock: Callable[[], float]
    _seen: dict[str, tuple[Look, float]] = field(default_factory=dict)

    def rested(self, looks: Mapping[str, Look]) -> dict[str, float]:
        """Take new looks at all drops.

        Returns:
            By name, the seconds for which each settled drop has been settled. Drops that are gone are forgotten.
        """
        now = self.clock()
        before, self._seen = self._seen, {}
        settled = {}
        for name, look in looks.items():
            last, since = before.get(name, (None, now))
            since = since if last == look else now
            self._seen[name] = (look, since)
            rest = max(self.settle_time, UPLOAD_PATIENCE) if look.on_its_way else self.settle_time
            if look.files and (look.ready or now - since >= rest):
                settled[name] = max(0.0, now - since - rest)
        return settled


class _Entry(NamedTuple):
    """A file or folder of a drop."""

    path: Path
    status: os.stat_result
    #: Nobody's picture, or below such a folder.
    ignored: bool


def _below(drop: Path) -> Iterator[_Entry]:
    """The drop and all that is below it, except what is gone meanwhile, and what only the producer complains about.

    Links are not followed. The stack is its own, since a sender may nest folders deeper than Python recurses.
    """
    waiting = [(drop, False)]
    while waiting:
        path, nobodys = waiting.pop()
        try:
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                waiting += [(entry, nobodys or ignored(entry.name)) for entry in path.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            if path == drop:
                raise
            continue
        yield _Entry(path, status, nobodys)


def _is_ready(drop: Path) -> bool:
    try:
        return stat.S_ISREG((drop / READY_FILE).lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _open_for_writing(path: Path) -> bool:
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        descriptor = os.open(path, OPEN_TO_READ)
    except OSError:
        return False  # unreadable or gone: not for this function to judge
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # somebody else's file, or a file system without leases
    finally:
        os.close(descriptor)
    return False
