"""Files of ours beside a sender's: whole or not at all, through no link, and over nothing that is not ours."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from core.sources import OPEN_TO_READ

#: Bytes of a file that tell whether it is ours.
_BEGINNING = 4096


@contextmanager
def writing(
    folder: Path, name: str, *, tag: str, ours: Callable[[bytes], bool], senders: Collection[str] = ()
) -> Iterator[TextIO]:
    """Write a file of ours into a sender's folder; it appears when the block ends, and not at all if that fails.

    It replaces an earlier one of ours. Where its name is the sender's, it becomes `digitline-NAME`, `digitline-NAME-2`...

    Args:
        folder: where to.
        name: the name that it should have.
        tag: of drafts, for `remove_drafts`.
        ours: tells by its first bytes whether a file may be replaced.
        senders: names in the folder that are known to be the sender's, whatever is in them.
    """
    draft = folder / f".digitline-{tag}-{secrets.token_hex(8)}"
    # O_EXCL follows no link and opens nothing that is there already.
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            yield stream
        draft.rename(_free(folder, name, ours, senders))
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def remove_drafts(folder: Path, tag: str) -> None:
    """Remove the drafts that a crash left in a folder."""
    draft = re.compile(rf"\.digitline-{re.escape(tag)}-[0-9a-f]{{16}}")
    with os.scandir(folder) as entries:
        left = [entry.name for entry in entries if draft.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)]
    for name in left:
        (folder / name).unlink()


def beginning(path: Path) -> bytes:
    """The first bytes of a regular file; none where it is anything else or may not be read."""
    try:
        descriptor = os.open(path, OPEN_TO_READ)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _BEGINNING) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    finally:
        os.close(descriptor)


def _free(folder: Path, name: str, ours: Callable[[bytes], bool], senders: Collection[str]) -> Path:
    """The first of the possible places that is not the sender's."""
    # Some file systems take names that differ in case alone for one.
    taken = {sender.casefold() for sender in senders}
    places = (folder / possible for possible in _names(name) if possible not in taken)
    return next(place for place in places if not os.path.lexists(place) or ours(beginning(place)))


def _names(name: str) -> Iterator[str]:
    yield name
    yield f"digitline-{name}"
    for number in itertools.count(2):
        yield f"digitline-{Path(name).stem}-{number}{Path(name).suffix}"
