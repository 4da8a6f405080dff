"""What a prefix of object storage holds: the same files in the same order as a folder that was copied there."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import LabelsError, SourceUnreadable
from core.objects import Entry, TooLarge, get_store
from core.sources import Prefix
from scheduler.names import LABELS_FILE, ignored


def find_objects(prefix: Prefix, *, deep: bool = True) -> Iterator[Entry]:
    """Every object below a prefix that is to be scored, in the order of their paths, which is that of a folder's.

    What a tool puts there to stand for a folder, whose key ends in `/`, is none.

    Args:
        prefix: which.
        deep: also those with a further `/` in their path.

    Raises:
        SourceNotFound, SourceUnreadable, StoreUnreachable: as `core.objects.Store`.
        SourceUnreadable: a key holds a NUL, which no ledger keeps.
    """
    for entry in get_store().entries(prefix, deep=deep):
        if "\0" in entry.path:
            raise SourceUnreadable(f"{prefix} holds the key {entry.path!r}.", mend="Rename it; a name holds no NUL.")
        if is_to_score(entry.path):
            yield entry


def is_to_score(path: str) -> bool:
    """Whether an object of that path is somebody's picture."""
    if path == LABELS_FILE or path.endswith("/"):
        return False
    # `.` and `..` are no hidden files, but keys that a worker is to reject in plain sight.
    return not any(ignored(part) for part in path.split("/") if part not in {".", ".."})


def table_of(prefix: Prefix, limit: int) -> bytes | None:
    """The bytes of the labels.csv below a prefix; None where there is none.

    Raises:
        LabelsError: it may not be read, or has more than `limit` bytes.
        SourceNotFound, SourceUnreadable, StoreUnreachable: as `core.objects.Store`.
    """
    try:
        return get_store().read(prefix, LABELS_FILE, limit=limit)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise LabelsError(f"{prefix}{LABELS_FILE} cannot be read: {error}.") from error
    except TooLarge as error:
        raise LabelsError(f"{prefix}{LABELS_FILE} has {error.size:,} bytes; {limit:,} are allowed.") from error
