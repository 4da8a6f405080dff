"""What a schedule has not submitted yet: files that are new in their folder, and those whose bytes are other ones.

A file is known by its path and its bytes. The bytes are read only where they may have changed: a stamp of what the file
system says of a file, taken before a worker read it, tells the others.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.database import Database
from core.errors import SourceUnreadable
from core.ledger import runs
from core.ledger.runs import Submitted
from core.ledger.schedules import Schedule
from core.sources import OPEN_TO_READ
from scheduler.folder import Paths
from scheduler.known import KnownFiles

#: Seconds for which a change may be followed by another one that leaves the same stamp: file systems keep times in steps
#: of two seconds at worst, and a share's clock need not be ours.
_RECENT = 10.0
#: What is wrong with a single file, which a worker is to say.
_FILES_OWN = frozenset({errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO})


@dataclass(frozen=True, slots=True)
class Growth:
    """What is to be submitted, in the order of the folder."""

    paths: Paths
    #: How each of them looks; 0: its look says nothing.
    stamps: array[int]
    #: By batch submitted before, how its files look now that their bytes proved to be the same.
    proven: dict[int, array[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file was submitted last."""

    batch: Submitted
    position: int


def growth(database: Database, schedule: Schedule, root: Path, files: Paths, *, max_bytes: int) -> Growth:
    """Tell what a schedule has to submit of the files of its folder.

    Args:
        database: the ledger.
        schedule: which.
        root: its folder.
        files: of the folder, as `scheduler.folder.find_files` gives them.
        max_bytes: files of more bytes are never read, here as in a worker.

    Raises:
        SourceUnreadable: something in the folder cannot be looked at; the message names it.
        LedgerUnreachable: the database does not answer.
    """
    try:
        stamps = array("Q")
        suspects = Paths(_unlike(_looks(root, files), _known_looks(database, schedule), stamps))
        places = _last_places(database, schedule, suspects)
        same = _same_bytes(database, root, places, max_bytes)
    except OSError as error:
        raise SourceUnreadable(
            f"{error.filename or root} cannot be read: {error.strerror}.", mend="Check its rights."
        ) from error
    return _without(suspects, stamps, places, same)


def stamp(status: os.stat_result, now: float) -> int:
    """What the file system says of a file, as one number that changes whenever the file is written, moved or replaced.

    The time of the last change of its entry is in it, which nobody can set; the time of writing, which copying programs
    set, would not do alone.

    Args:
        status: of the file.
        now: seconds since the epoch.

    Returns:
        64 bits; 0: it changed so lately that another change may leave the same stamp.
    """
    if any(abs(now - changed) < _RECENT for changed in (status.st_mtime, status.st_ctime)):
        return 0
    look = f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
    return int.from_bytes(hashlib.blake2b(look.encode(), digest_size=8).digest()) or 1


def _looks(root: Path, files: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Each file and its stamp; those that are gone since the folder was listed are left out."""
    now, prefix = time.time(), f"{root}/"
    for path in files:
        try:
            status = os.lstat(prefix + path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        yield path, stamp(status, now)


def _known_looks(database: Database, schedule: Schedule) -> KnownFiles:
    return KnownFiles(
        look
        for batch in runs.submitted(database, schedule)
        for look in zip(batch.paths, batch.stamps, strict=True)
        if look[1]
    )


def _unlike(looks: Iterable[tuple[str, int]], known: KnownFiles, stamps: array[int]) -> Iterator[str]:
    """The files that do not look as any did that was submitted; their stamps are added to `stamps`."""
    for look in looks:
        if look[1] == 0 or look not in known:
            stamps.append(look[1])
            yield look[0]


def _last_places(database: Database, schedule: Schedule, suspects: Paths) -> dict[str, _Place]:
    """Where those of the files were submitted last that were submitted before."""
    places: dict[str, _Place] = {}
    wanted: set[int] | None = None
    for batch in runs.submitted(database, schedule):
        wanted = set(map(hash, suspects)) if wanted is None else wanted
        for position, path in enumerate(batch.paths):
            if hash(path) in wanted:
                places[path] = _Place(batch, position)
    return places


def _same_bytes(database: Database, root: Path, places: dict[str, _Place], max_bytes: int) -> set[str]:
    """Those of the files whose bytes were scored already, or may be scored just now."""
    positions: dict[int, list[int]] = {}
    for place in places.values():
        positions.setdefault(place.batch.batch_id, []).append(place.position)
    scored = {
        (batch_id, position): sha256
        for batch_id, of_batch in positions.items()
        for position, sha256 in runs.hashes(database, batch_id, of_batch).items()
    }

    def is_same(path: str, place: _Place) -> bool:
        before = scored.get((place.batch.batch_id, place.position))
        # While its batch is open, nobody knows yet which bytes a worker meets; the next run will.
        return place.batch.open or (before is not None and before == _sha256(root / path, max_bytes))

    return {path for path, place in places.items() if is_same(path, place)}


def _without(suspects: Paths, stamps: array[int], places: dict[str, _Place], same: set[str]) -> Growth:
    if not same:
        return Growth(suspects, stamps)
    proven: dict[int, array[int]] = {}
    for path, look in zip(suspects, stamps, strict=True):
        if path in same and look and not places[path].batch.open:
            batch = places[path].batch
            proven.setdefault(batch.batch_id, array("Q", batch.stamps))[places[path].position] = look
    new = array("Q", (look for path, look in zip(suspects, stamps, strict=True) if path not in same))
    return Growth(Paths(path for path in suspects if path not in same), new, proven)


def _sha256(file: Path, max_bytes: int) -> str | None:
    """Of the file's bytes; None where a worker would refuse to read them."""
    try:
        descriptor = os.open(file, OPEN_TO_READ)
    except OSError as error:
        if error.errno in _FILES_OWN:
            return None
        raise
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        return hashlib.file_digest(stream, "sha256").hexdigest()
