"""The images of a source, be it a folder or a prefix of object storage, behind one door."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Protocol, Self

from classifier.images import ImageFolder
from core.errors import ImageRejected, SourceNotFound
from core.objects import TooLarge, get_store
from core.sources import Prefix, Source, leads_elsewhere
from core.vocabulary import Reason


class Images(Protocol):
    """Images of which no read ever leaves their source; close them, or use them in a `with`."""

    def read(self, relative: str) -> bytes:
        """Read one file whole.

        Raises:
            ImageRejected: `outside`, `missing`, `unreadable`, `empty` or `too_large`.
            OSError, StoreUnreachable: the host, its share or the store is in trouble, which may pass.
            SourceNotFound, SourceUnreadable: the whole source is out of reach of this process.
        """

    def reading(self, paths: Iterable[str]) -> AbstractContextManager[Callable[[str], bytes]]:
        """Read many files; what the context gives is called as `read`, with these paths, each once, in this order."""

    def close(self) -> None:
        """Let go of what is held open."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def images_of(source: Source, *, max_bytes: int) -> Images:
    """The images of a source; where there is none, every read says so."""
    return (
        ImageBucket(source, max_bytes=max_bytes)
        if isinstance(source, Prefix)
        else ImageFolder(source, max_bytes=max_bytes)
    )


def check_source(source: Source) -> None:
    """Raise what would keep every image of a source from being read here.

    Raises:
        SourceNotFound: this host has no such folder, as where a share is not mounted, or the store no such bucket.
        SourceUnreadable: the bucket is closed to the credentials of this process, or it has none.
        StoreUnreachable: the object store does not answer.
    """
    if isinstance(source, Prefix):
        get_store().check(source)
    elif not source.is_dir():
        raise SourceNotFound(f"There is no folder {source} on {os.uname().nodename}.")


class ImageBucket:
    """Images below a prefix of object storage: of each the very key that was listed is read, and no other."""

    def __init__(self, prefix: Prefix, *, max_bytes: int) -> None:
        """Ask the store for nothing yet."""
        self._prefix, self._max_bytes = prefix, max_bytes

    def read(self, relative: str) -> bytes:
        """As `Images.read`; an object of too many bytes is not fetched.

        Args:
            relative: what follows the prefix in its key, to the letter.
        """
        _check(relative)
        return _bytes(lambda: get_store().read(self._prefix, relative, limit=self._max_bytes), self._max_bytes)

    @contextmanager
    def reading(self, paths: Iterable[str]) -> Iterator[Callable[[str], bytes]]:
        """As `Images.reading`; objects are fetched side by side, ahead of their turn."""
        wanted = (path for path in paths if not leads_elsewhere(path))
        with get_store().reading(self._prefix, wanted, limit=self._max_bytes) as take:

            def read(relative: str) -> bytes:
                _check(relative)
                return _bytes(take, self._max_bytes)

            yield read

    def close(self) -> None:
        """Nothing is held open for one prefix alone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check(relative: str) -> None:
    """Refuse a key that a server on the way might take for another one."""
    if leads_elsewhere(relative):
        raise ImageRejected(Reason.OUTSIDE, "The key has a part '.' or '..', which may lead to another object.")


def _bytes(fetch: Callable[[], bytes], max_bytes: int) -> bytes:
    try:
        data = fetch()
    except TooLarge as error:
        raise ImageRejected(
            Reason.TOO_LARGE, f"The file has {error.size:,} bytes; {max_bytes:,} are allowed."
        ) from error
    except FileNotFoundError as error:
        raise ImageRejected(Reason.MISSING, "There is no such file.") from error
    except PermissionError as error:
        raise ImageRejected(Reason.UNREADABLE, f"The file may not be read: the store says {error}.") from error
    if not data:
        raise ImageRejected(Reason.EMPTY, "The file is empty.")
    return data
