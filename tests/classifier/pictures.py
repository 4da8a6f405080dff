"""Pictures as files, and what becomes of them, for the tests of decoding."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest

from classifier.images import decode
from classifier.preprocess import Image
from core.errors import ImageRejected
from core.vocabulary import Reason

MAX_PIXELS = 100_000_000

#: What each orientation of EXIF does to the rows and columns of a file.
TURNS: dict[int, Callable[[Image], Image]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


def saved(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file of Pillow's."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def reason_of(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Reason:
    """Why data is rejected."""
    with pytest.raises(ImageRejected) as rejected:
        decode(data, max_pixels=max_pixels)
    assert str(rejected.value).endswith(".")
    return rejected.value.reason


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def in_rgb(picture: Image) -> PIL.Image.Image:
    """A BGR array as Pillow takes it."""
    return PIL.Image.fromarray(np.ascontiguousarray(picture[..., ::-1]))


def with_orientation(orientation: int) -> PIL.Image.Exif:
    """EXIF data that says how a picture is to be turned."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return exif
