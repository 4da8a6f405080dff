"""What a SQLite ledger needs: a library whose write-ahead log is sound, and every connection set up alike."""

from __future__ import annotations

import importlib
import sqlite3
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

#: Seconds a writer waits for another one before it gives up.
BUSY_TIMEOUT = 30.0
#: What may follow the `?` of its URL; all else would be left out.
PARAMETERS = ("timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements")
#: Execution option of a transaction that only reads.
READS_ONLY = "digitline_reads_only"

#: What the library calls a disk that is full, a file that may only be read, and a disk that fails; the last one is also
#: said of a quota, and where there is no room for what the connections to a write-ahead log share.
UNWRITABLE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR")

#: Versions whose write-ahead log has the fix for the reset race (sqlite.org/wal.html, "the WAL-reset bug").
_WAL_FIXED_IN = ((3, 44, 6), (3, 50, 7), (3, 51, 3))


def _newest_library() -> ModuleType:
    """The SQLite of a wheel where there is one for this platform: Python's own is the system's, which may be old."""
    try:
        return importlib.import_module("pysqlite3.dbapi2")
    except ModuleNotFoundError:
        return sqlite3


#: The one library that may open a ledger: two in a process would drop each other's locks (sqlite.org/howtocorrupt.html).
library = _newest_library()


def make_engine(url: URL) -> Engine:
    """Make an engine; its connections stay open, for the last that is closed writes the whole log back.

    Args:
        url: of a SQLite file.
    """
    engine = create_engine(url, module=library, pool_size=1, connect_args={"timeout": BUSY_TIMEOUT})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not BEGIN by itself; see below
        connection.execute("PRAGMA foreign_keys=ON")
        if wal_is_safe(library.sqlite_version_info):
            connection.execute("PRAGMA journal_mode=WAL")
            # One wait for the disk with each commit: NORMAL has none, and loses the last commits with the power, when
            # the folders of jobs that they ended may be filed away already.
            connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Not deferred: a reader that becomes a writer midway gets "database is locked" at once, without waiting.
        reads_only = connection.get_execution_options().get(READS_ONLY, False)
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Tell whether a version of SQLite has the fix.

    Args:
        version: major, minor, patch.
    """
    if version >= max(_WAL_FIXED_IN):
        return True
    return any(version[:2] == fixed[:2] and version >= fixed for fixed in _WAL_FIXED_IN)
