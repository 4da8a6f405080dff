"""IDX, the file format of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DatasetError

#: What to do about a file that is missing or another.
MEND = "Give the folder of the four IDX files of MNIST, as they come or unpacked."

#: Type code of unsigned bytes in an IDX header, the only type MNIST uses.
_UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or plain.

    Returns:
        uint8, in the shape that the header states.

    Raises:
        DatasetError: the file is missing, damaged or no such file.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", mend=MEND) from error
    if len(data) < 4 or data[:3] != bytes((0, 0, _UNSIGNED_BYTE)) or len(data) < 4 + 4 * data[3]:
        raise DatasetError(f"{path} is not an IDX file of unsigned bytes.", mend=MEND)
    dimensions = data[3]
    shape = tuple(int(size) for size in np.frombuffer(data, ">u4", dimensions, offset=4))
    start = 4 + 4 * dimensions
    if len(data) - start != math.prod(shape):
        raise DatasetError(f"{path} holds {len(data) - start} bytes where its header states {shape}.", mend=MEND)
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
