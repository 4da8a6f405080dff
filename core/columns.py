"""How paths and moments are kept in a column, whatever bytes a name has and whichever database it is."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator

#: A byte of a file name that is no UTF-8 arrives as U+DC80..U+DCFF (PEP 383), which no database stores;
#: it is kept as U+F780..U+F7FF, of the private use area, and comes back as it was.
_SURROGATE_TO_PRIVATE = {0xDC00 + byte: chr(0xF700 + byte) for byte in range(0x80, 0x100)}
#: A name that holds such a private character itself is kept byte by byte, or it would come back as another one.
_PRIVATE_TO_BYTES = {
    ord(private): "".join(chr(0xF700 + byte) for byte in private.encode()) for private in _SURROGATE_TO_PRIVATE.values()
}
_STORED = {**_SURROGATE_TO_PRIVATE, **_PRIVATE_TO_BYTES}
_READ = {ord(private): surrogate for surrogate, private in _SURROGATE_TO_PRIVATE.items()}


def storable_path(path: str) -> str:
    """The path with every byte that is no UTF-8 moved to where a database stores it."""
    return path if path.isascii() else path.translate(_STORED)


def path_as_it_was(stored: str) -> str:
    """The path of which storable_path() made this."""
    if stored.isascii():
        return stored
    return stored.translate(_READ).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


class PathText(TypeDecorator[str]):
    """A file's path, or a sentence that may name one, whatever bytes its name has."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Make a path storable."""
        return None if value is None else storable_path(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Bring back the path as the file system spells it."""
        return None if value is None else path_as_it_was(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Say that the moment is in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
