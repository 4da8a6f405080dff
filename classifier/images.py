"""Open, check and decode one image file safely."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from classifier import decoders
from classifier.formats import check_size, read_header
from classifier.preprocess import Image
from core.errors import ImageRejected
from core.sources import OPEN_TO_READ
from core.vocabulary import Reason

_OPEN_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_FOLDER = _OPEN_ROOT | os.O_NOFOLLOW
#: Folders kept open at a time; images come in the order of their paths, so few are enough.
_FOLDERS = 32
_ANYBODY_MAY_READ = 0o444

#: What says nothing about the file but that the host or its share is in trouble, which may pass.
_PASSING = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN}
)


class ImageFolder:
    """A folder of images of which no read ever leaves.

    The root and every folder below it are opened once and then held open, so that a read costs one openat and nothing
    that happens to a path later can lead it elsewhere. The root may be a symbolic link; below it none is followed.
    Close it, or use it in a `with`.
    """

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        """Open the root; where it cannot be opened, every read says why."""
        #: Descriptors of open folders by their path below the root, oldest first.
        self._folders: dict[str, int] = {}
        self._root: int | None = None
        #: Number of the error that kept the root from being opened.
        self._unopened = errno.EBADF
        self._max_bytes = max_bytes
        try:
            self._root = os.open(root, _OPEN_ROOT)
        except OSError as error:
            self._unopened = error.errno or errno.EBADF

    def read(self, relative: str) -> bytes:
        """Read one file whole.

        Args:
            relative: path below the root with `/` between its parts; bytes that are not UTF-8 as surrogate escapes.

        Raises:
            ImageRejected: `outside`, `missing`, `unreadable`, `empty` or `too_large`.
            OSError: the host or its share is in trouble, which may pass.
        """
        folder, _, name = relative.rpartition("/")
        if relative.startswith("/") or name in ("", ".", ".."):
            raise _outside()
        try:
            within = self._folders.get(folder)
            file = os.open(name, OPEN_TO_READ, dir_fd=self._open(folder) if within is None else within)
            try:
                return self._read(file)
            finally:
                os.close(file)
        except OSError as error:
            _let_pass(error)
            raise _refusal(error) from error
        except ValueError:
            raise ImageRejected(Reason.MISSING, "There is no such file: no file can have this name.") from None

    @contextmanager
    def reading(self, paths: Iterable[str]) -> Iterator[Callable[[str], bytes]]:  # noqa: ARG002
        """What reads many files; a disk reads ahead by itself, so this is `read`."""
        yield self.read

    def close(self) -> None:
        """Let go of the folders held open."""
        while self._folders:
            os.close(self._folders.popitem()[1])
        if self._root is not None:
            os.close(self._root)
            self._root = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _read(self, file: int) -> bytes:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise ImageRejected(Reason.UNREADABLE, "It is not a file, but a folder, a pipe or a device.")
        # Root may read everything; what its owner took from everybody is not meant to be read all the same.
        if not status.st_mode & _ANYBODY_MAY_READ:
            raise ImageRejected(Reason.UNREADABLE, "The file may not be read: its permissions forbid it.")
        if status.st_size > self._max_bytes:
            raise ImageRejected(
                Reason.TOO_LARGE, f"The file has {status.st_size:,} bytes; {self._max_bytes:,} are allowed."
            )
        data = os.read(file, status.st_size)
        while len(data) < status.st_size and (more := os.read(file, status.st_size - len(data))):
            data += more
        if not data:
            raise ImageRejected(Reason.EMPTY, "The file is empty.")
        return data

    def _open(self, folder: str) -> int:
        """Walk from the root to a folder and hold it open."""
        parts = [part for part in folder.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise _outside()
        if self._root is None:
            raise OSError(self._unopened, os.strerror(self._unopened))
        at = os.dup(self._root)
        for part in parts:
            try:
                at, above = _step(at, part), at
            except BaseException:
                os.close(at)
                raise
            os.close(above)
        if len(self._folders) >= _FOLDERS:
            os.close(self._folders.pop(next(iter(self._folders))))
        self._folders[folder] = at
        return at


def read_image(root: Path, relative: str, *, max_bytes: int) -> bytes:
    """Read one file below a folder; for many, use `ImageFolder`.

    Args:
        root: the folder that the read must not leave.
        relative: path below the root.
        max_bytes: largest file that is read.

    Raises:
        ImageRejected: `outside`, `missing`, `unreadable`, `empty` or `too_large`.
        OSError: the host or its share is in trouble, which may pass.
    """
    with ImageFolder(root, max_bytes=max_bytes) as folder:
        return folder.read(relative)


def decode(data: bytes, *, max_pixels: int) -> Image:
    """Decode the first picture of a JPEG, PNG, WebP, BMP, TIFF or GIF file, known by its bytes, not by its name.

    Args:
        data: the whole file.
        max_pixels: most pixels that are decoded; the header is asked before anything is allocated.

    Returns:
        uint8, (height, width) grey or (height, width, 3) BGR; turned as EXIF says, transparency laid onto the paper that
        its ink stands out from, 16 bits reduced to 8. A JPEG whose longer side has 2,000 pixels or more comes at 1/2, 1/4
        or 1/8 of its size, with 1,000 pixels or more on that side.

    Raises:
        ImageRejected: `not_an_image`, `unsupported`, `truncated`, `too_large`, or `unreadable` where it is damaged.
    """
    header = read_header(data)
    # Only its decoder reads a TIFF's size.
    if header.kind != "tiff":
        check_size(header.width, header.height, max_pixels)
    image = decoders.with_opencv(data, header) if header.plain else None
    return decoders.with_pillow(data, header, max_pixels) if image is None else image


def _step(at: int, name: str) -> int:
    """Open a folder in an open folder."""
    try:
        return os.open(name, _OPEN_FOLDER, dir_fd=at)
    except OSError:
        # Linux calls a link that is not followed no folder; other systems call it a loop.
        if stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            raise ImageRejected(
                Reason.OUTSIDE, "A folder on the path is a symbolic link, and links are not followed."
            ) from None
        raise


def _outside() -> ImageRejected:
    return ImageRejected(Reason.OUTSIDE, "The path leads out of the folder.")


def _let_pass(error: OSError) -> None:
    """Raise what may pass: a rejection is for ever, and another attempt may read the file."""
    if error.errno in _PASSING:
        raise error


def _refusal(error: OSError) -> ImageRejected:
    if error.errno == errno.ELOOP:
        return ImageRejected(Reason.OUTSIDE, "The file is a symbolic link, and links are not followed.")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return ImageRejected(Reason.MISSING, "There is no such file.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ImageRejected(Reason.UNREADABLE, "The file may not be read: its permissions forbid it.")
    return ImageRejected(Reason.UNREADABLE, f"The file cannot be read: {error.strerror}.")
