"""Where images lie, as a URL, so that object storage can stand beside folders in the ledger."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from core.errors import SourceNotFound

#: How a file is opened that somebody else put there: links are not followed, and a FIFO or a device does not make us wait.
OPEN_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def to_url(folder: Path) -> str:
    """The `file:` URL of a folder; every byte of its name survives."""
    return "file://" + quote_from_bytes(os.fsencode(folder.absolute()))


def to_path(url: str) -> Path:
    """The folder of a `file:` URL.

    Raises:
        SourceNotFound: the URL is of another kind.
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc:
        raise SourceNotFound(f"{url} is no folder of this host.")
    return Path(os.fsdecode(unquote_to_bytes(parts.path)))
