"""Open, check and decode one image file safely."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import warnings
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import PIL.Image
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from classifier.formats import Header, damaged, read_header, truncated
from classifier.preprocess import Image
from core.errors import ImageRejected
from core.vocabulary import Reason

#: Links are not followed, and a FIFO or a device does not make us wait.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_FOLDER = _OPEN_ROOT | os.O_NOFOLLOW
#: Folders kept open at a time; images come in the order of their paths, so few are enough.
_FOLDERS = 32
_ANYBODY_MAY_READ = 0o444

#: What says nothing about the file but that the host or its share is in trouble, which may pass.
_PASSING = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN}
)

#: The decoder of every kind, named outright so that no other is tried.
_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "gif": GifImagePlugin.GifImageFile,
}
#: What Pillow's decoders raise on files that are cut short or contradict themselves.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    PIL.Image.DecompressionBombError,
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
            file = os.open(name, _OPEN, dir_fd=self._open(folder) if within is None else within)
            try:
                return self._read(file)
            finally:
                os.close(file)
        except OSError as error:
            _let_pass(error)
            raise _refusal(error) from error
        except ValueError:
            raise ImageRejected(Reason.MISSING, "There is no such file: no file can have this name.") from None

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
        uint8, (height, width) grey or (height, width, 3) BGR; turned as EXIF says, transparency laid onto white,
        16 bits reduced to 8.

    Raises:
        ImageRejected: `not_an_image`, `unsupported`, `truncated`, `too_large`, or `unreadable` where it is damaged.
    """
    header = read_header(data)
    if header.kind != "tiff":
        _check_size(header.width, header.height, max_pixels)
    if header.plain:
        image = _decode_with_opencv(data)
        if image is not None:
            return image
    return _decode_with_pillow(data, header, max_pixels)


def _decode_with_opencv(data: bytes) -> Image | None:
    """Decode without ever raising; None where OpenCV cannot."""
    try:
        image: Image | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR)
    except cv2.error:
        return None
    return image


def _decode_with_pillow(data: bytes, header: Header, max_pixels: int) -> Image:
    try:
        # What Pillow warns of is either harmless or ends in an error, and sizes are checked here.
        with warnings.catch_warnings(action="ignore"), _DECODERS[header.kind](io.BytesIO(data)) as picture:
            _check_size(picture.width, picture.height, max_pixels)
            picture.load()
            return _to_array(ImageOps.exif_transpose(picture))
    except PIL.Image.DecompressionBombError:
        raise _too_large(header.width, header.height, max_pixels) from None
    except _DECODER_ERRORS as error:
        raise (truncated() if "truncated" in str(error) else damaged("it cannot be decoded")) from error


def _to_array(picture: PIL.Image.Image) -> Image:
    if picture.mode.startswith("I;16"):
        return (np.asarray(picture) >> 8).astype(np.uint8)
    if picture.mode in ("I", "F"):
        raise ImageRejected(Reason.UNSUPPORTED, "The image has 32 bits a pixel, which is not read.")
    if picture.has_transparency_data:
        paper = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(paper, picture.convert("RGBA"))
    if picture.mode in ("1", "L"):
        return np.array(picture.convert("L"))
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[..., ::-1])


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_large(width, height, max_pixels)
    if width * height == 0:
        raise damaged("it has no pixels")


def _too_large(width: int, height: int, max_pixels: int) -> ImageRejected:
    return ImageRejected(
        Reason.TOO_LARGE, f"The image has {width:,} x {height:,} pixels; {max_pixels:,} are allowed in all."
    )


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
