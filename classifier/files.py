"""The files of a model folder: which names they may have, and their bytes, held against a hash before use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from core.errors import ArtifactError

#: Bytes of the largest network file that is read; those of a digit reader are a hundred times smaller.
MAX_BYTES = 256 << 20


def named(suffix: str) -> Callable[[str], str]:
    """Make a check that takes the plain name of one kind of file, and nothing that leads out of the folder."""

    def check(name: str) -> str:
        if Path(name).suffix != suffix:
            raise ValueError(f"{name!r} is no {suffix} file, and networks are read from no other kind")
        if not name.removesuffix(suffix).replace("-", "").isalnum() or not name.isascii():
            raise ValueError(f"{name!r} is no plain file name")
        return name

    return check


def checked_bytes(path: Path, sha256: str, *, stated_in: str, mend: str) -> bytes:
    """Read the file of a network, and refuse one that is another.

    Args:
        path: of the file.
        sha256: what it must have, hexadecimal.
        stated_in: name of the file that says so.
        mend: how to mend it.

    Raises:
        ArtifactError: the file is missing, far too large, or its SHA-256 is another.
    """
    content = read_bytes(path, MAX_BYTES, mend=mend)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(f"{path} is not the file of {stated_in}: its SHA-256 differs.", mend=mend)
    return content


def read_bytes(path: Path, limit: int, *, mend: str) -> bytes:
    """Read a whole file; a pipe or a device, which would never end, is none.

    Args:
        path: of the file.
        limit: bytes that it may have.
        mend: how to mend what is wrong with it.

    Raises:
        ArtifactError: the file is missing, far too large, or no file.
    """
    try:
        if not path.stat().st_size <= limit or not path.is_file():
            raise ArtifactError(f"{path} is no file of at most {limit >> 20} MiB.", mend=mend)
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.", mend=mend) from error
