"""What an object store is asked for; `core.s3` asks, and is loaded where a source lies in a bucket, and nowhere else."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

from core.sources import Prefix

#: Requests that one process has on their way at the most.
AT_ONCE = 32

#: Gives the bytes of the next of the objects that were asked for; errors as `Store.read`.
Take = Callable[[], bytes]


class Entry(NamedTuple):
    """An object below a prefix, as a listing shows it."""

    #: What follows the prefix in its key, to the letter; of what stands for many objects, it ends in `/`.
    path: str
    #: Bytes.
    size: int
    #: The store's mark of its bytes (ETag): other bytes, another mark.
    mark: str


class TooLarge(Exception):
    """An object has more bytes than are read; none of them was."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size:,} bytes")
        #: Bytes.
        self.size = size


class Store(Protocol):
    """An object store, with the credentials of this process's environment.

    Whatever it is asked for, it raises:
        SourceNotFound: there is no such bucket.
        SourceUnreadable: the bucket may not be used: no credentials, or they are refused.
        StoreUnreachable: the store does not answer, or not now, after a few tries.
    """

    def entries(self, prefix: Prefix, *, deep: bool = True) -> Iterator[Entry]:
        """The objects below a prefix in the order of their keys, listed page by page.

        Args:
            prefix: which.
            deep: all of them; else those with no further `/` in their keys, and one entry for all that share a part
                before it.
        """

    def check(self, prefix: Prefix) -> None:
        """Raise what would keep a listing from being had."""

    def read(self, prefix: Prefix, path: str, *, limit: int) -> bytes:
        """Read an object whole.

        Args:
            prefix: where it is.
            path: as an entry has it.
            limit: bytes that it may have.

        Raises:
            FileNotFoundError: there is none of that key.
            PermissionError: it, of all objects, may not be read.
            TooLarge: it has more bytes.
        """

    def reading(self, prefix: Prefix, paths: Iterable[str], *, limit: int) -> AbstractContextManager[Take]:
        """Read objects, `AT_ONCE` of them ahead; each call of what the context gives returns the next one, in order."""

    def write(self, prefix: Prefix, name: str, content: Path) -> None:
        """Put a file of at most 5 GB under a key; it is there whole or not at all, in place of what was there."""


@cache
def get_store() -> Store:
    """The object store of this process; it keeps connections and a thread, so no process forks after it asked."""
    store: Store = importlib.import_module("core.s3").S3()
    return store
