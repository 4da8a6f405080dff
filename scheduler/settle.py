"""When is a drop complete? Looks at it are compared; nothing here moves a file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.folder import READY_FILE, ignored


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a drop saw; two equal looks are a sign of rest."""

    files: int
    bytes: int
    #: Latest change of anything in the drop, nanoseconds of the file system's clock.
    changed: int
    #: True where its sender says that it is complete.
    ready: bool = False


def look_at(drop: Path) -> Look:
    """Look at a file, or at everything below a folder; what vanishes meanwhile counts as a change to come."""
    stats = list(_stats(drop))
    return Look(
        files=sum(not is_folder for _, _, is_folder in stats),
        bytes=sum(size for size, _, is_folder in stats if not is_folder),
        changed=max((changed for _, changed, _ in stats), default=0),
        ready=(drop / READY_FILE).is_file(),
    )


def being_written(drop: Path) -> bool:
    """True while some process of this host has a file of the drop open for writing, even if it pauses.

    Linux refuses a read lease on such a file (fcntl(2), "Leases"); where leases are not to be had, False.
    """
    return any(_open_for_writing(path) for path in _files(drop))


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
            if look.files and (look.ready or now - since >= self.settle_time):
                settled[name] = max(0.0, now - since - self.settle_time)
        return settled


def _stats(drop: Path) -> Iterator[tuple[int, int, bool]]:
    """Size, latest change and whether it is a folder, of the drop and all that is below it."""
    try:
        own = drop.lstat()
    except FileNotFoundError:
        return
    is_folder = drop.is_dir() and not drop.is_symlink()
    yield own.st_size, max(own.st_mtime_ns, own.st_ctime_ns), is_folder
    if is_folder:
        for path in _entries(drop):
            yield from _stats(path)


def _entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not ignored(path.name)]
    except (FileNotFoundError, PermissionError):
        return []  # gone meanwhile, or for the producer to complain about


def _files(drop: Path) -> Iterator[Path]:
    if drop.is_symlink():
        return
    if drop.is_dir():
        for path in _entries(drop):
            yield from _files(path)
    elif drop.is_file():
        yield drop


def _open_for_writing(path: Path) -> bool:
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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
