"""Where images lie, a folder or a prefix of object storage, and the URL by which the ledger knows it.

This is the one place that says which kinds of sources there are. A URL of any other kind, wherever it comes from, is
refused, so that a forged one cannot make a process read elsewhere.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes, urlsplit

from core.errors import SourceNotFound

#: How a file is opened that somebody else put there: links are not followed, and a FIFO or a device does not make us wait.
OPEN_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_S3 = "s3://"
#: What begins as a URL does.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
#: A bucket's name: those of Amazon, and what other stores allow; no `@` and no `:`, before which a password might stand.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_EXPECTED = "Give a folder, or a prefix of object storage as s3://bucket/prefix."
_CREDENTIALS = "Credentials come from the environment (AWS_ACCESS_KEY_ID and its like), never from a URL."


@dataclass(frozen=True, slots=True, order=True)
class Prefix:
    """Objects of a bucket whose keys begin alike, as a folder's files do."""

    bucket: str
    #: What their keys begin with: empty, or it ends in `/`.
    key: str

    @property
    def name(self) -> str:
        """The last part of the prefix, as a folder has a name; the bucket's where there is none."""
        return self.key.rstrip("/").rpartition("/")[2] or self.bucket

    def below(self, name: str) -> Prefix:
        """The prefix of that name below this one."""
        return Prefix(self.bucket, f"{self.key}{name}/")

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{_S3}{self.bucket}/{self.key}"


Source: TypeAlias = Path | Prefix


def source_of(given: str | os.PathLike[str]) -> Source:
    """The source that a person names: the path of a folder, or `s3://bucket/prefix` with its characters as they are.

    Raises:
        SourceNotFound: it is a URL of another kind, or names no bucket. It is not repeated then: it may hold a password.
    """
    text = os.fspath(given)
    scheme = _SCHEME.match(text)
    if scheme is None:
        if re.match(r"s3:/[^/]", text):
            raise SourceNotFound("s3:/ is no folder.", mend="Give s3://bucket/prefix as text, not as a Path.")
        return Path(given)
    if not text.startswith(_S3):
        raise SourceNotFound(f"Images are not read from {scheme[1].lower()}://.", mend=_EXPECTED)
    bucket, _, key = text.removeprefix(_S3).partition("/")
    return _prefix(bucket, key)


def source_at(url: str) -> Source:
    """The source of a URL of the ledger.

    Raises:
        SourceNotFound: the URL is of another kind, or names no source.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3":
        return to_path(url)
    if parts.query or parts.fragment:
        raise SourceNotFound("An s3:// URL of the ledger has neither query nor fragment.")
    return _prefix(parts.netloc, unquote_to_bytes(parts.path.removeprefix("/")).decode("utf-8", "surrogateescape"))


def to_url(source: Source) -> str:
    """The URL of a source; every byte of its name survives."""
    if isinstance(source, Prefix):
        return f"{_S3}{source.bucket}/{quote(source.key, errors='surrogateescape')}"
    return "file://" + quote_from_bytes(os.fsencode(source.absolute()))


def to_path(url: str) -> Path:
    """The folder of a `file:` URL.

    Raises:
        SourceNotFound: the URL is of another kind.
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc:
        raise SourceNotFound(f"{url} is no folder of this host.")
    return Path(os.fsdecode(unquote_to_bytes(parts.path)))


def prefixes_of(urls: str) -> tuple[Prefix, ...]:
    """The inboxes in object storage that a setting names, white space between them.

    Raises:
        ValueError: one is none, or is a whole bucket, beside which nothing can be filed; or what is filed beside one would
            be dropped into another. A URL is not repeated.
    """
    found = []
    for url in urls.split():
        try:
            source = source_of(url)
        except SourceNotFound as error:
            raise ValueError(f"{error} {error.mend}".rstrip(".")) from None
        if not isinstance(source, Prefix) or not source.key:
            raise ValueError("each must be s3://bucket/prefix, and more than a bucket: results are filed beside it")
        found.append(source)
    if any(_holds(one, other) for one in found for other in found):
        raise ValueError("none may lie below another, or be called done or failed")
    return tuple(found)


def leads_elsewhere(key: str) -> bool:
    """Whether a key has a part `.` or `..`, for which what lies on the way to the store may take another key."""
    return not {".", ".."}.isdisjoint(key.split("/"))


def _holds(one: Prefix, other: Prefix) -> bool:
    """Whether what is filed beside the second inbox lies below the first, or that inbox itself, where it is another."""
    above, part, _ = other.key.rstrip("/").rpartition("/")
    places = [f"{above}{part}{name}/" for name in ("done", "failed")] + ([] if one is other else [other.key])
    return one.bucket == other.bucket and any(place.startswith(one.key) for place in places)


def _prefix(bucket: str, key: str) -> Prefix:
    if not _BUCKET.fullmatch(bucket):
        raise SourceNotFound("An s3:// URL names no bucket.", mend=f"{_EXPECTED} {_CREDENTIALS}")
    if leads_elsewhere(key) or "\0" in key:
        raise SourceNotFound(f"{_S3}{bucket}/ has no prefix with a part '.' or '..', or a NUL.", mend=_EXPECTED)
    return Prefix(bucket, key if not key or key.endswith("/") else f"{key}/")
