"""Is there room for what the line has yet to write: in the ledger, in Redis, on the disk of the drops."""

from __future__ import annotations

import logging
import shutil
from functools import partial

from sqlalchemy import text

from core.database import Database
from core.errors import (
    DigitlineError,
    DiskFull,
    LedgerUnreachable,
    LedgerUnwritable,
    QueueUnreachable,
    QueueUnwritable,
)
from core.queues import Inspector
from core.settings import Settings

log = logging.getLogger(__name__)

#: What is raised where there is none.
NO_ROOM = (LedgerUnwritable, QueueUnwritable, DiskFull)

#: Whether a role of PostgreSQL may make temporary tables.
_MAY_TRY = text("SELECT has_database_privilege(current_database(), 'TEMPORARY')")

#: Kilobytes that are put into the ledger on trial, and must be free on the disk of a SQLite file.
_TRIAL = 256


def check_ledger(database: Database) -> None:
    """Try to write into the ledger; nothing stays of it.

    Raises:
        LedgerUnwritable: it has no room, or may only be read.
        LedgerUnreachable: it does not answer.
    """
    # Rows of a table of its own, for which the file must grow; on PostgreSQL a temporary one, which leaves no dead rows.
    kind = "TABLE" if database.sqlite else "TEMPORARY TABLE"
    with database.begin() as connection:
        if not database.sqlite and connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
            raise LedgerUnwritable(f"{database.place} may only be read.")
        if not database.sqlite and not connection.execute(_MAY_TRY).scalar_one():
            return  # a role that only looks on
        connection.execute(text(f"CREATE {kind} room_on_trial (filler VARCHAR(1000))"))
        connection.execute(text("INSERT INTO room_on_trial VALUES (:filler)"), [{"filler": "x" * 1000}] * _TRIAL)
        connection.rollback()
    if database.sqlite and shutil.disk_usage(database.url.database or "").free < _TRIAL * 1000:
        # What is rolled back has not met the disk.
        raise LedgerUnwritable(f"{database.place} takes nothing: its disk is full.")


def check_redis(inspector: Inspector) -> None:
    """Have Redis take something that it forgets at once.

    Raises:
        QueueUnwritable: its disk or its memory is full, or it may only be read.
        QueueUnreachable: it does not answer.
    """
    inspector.try_to_write()


def check_disk(settings: Settings) -> None:
    """Look at how much is free where drops lie, and in the home.

    Raises:
        DiskFull: less than the setting `min_free` says.
    """
    for folder in {settings.inbox_folder, settings.home_folder}:
        free = shutil.disk_usage(folder).free
        if free < settings.min_free:
            raise DiskFull(
                f"Of the disk of {folder} only {free / 1e6:,.0f} MB are free, and DIGITLINE_MIN_FREE wants "
                f"{settings.min_free / 1e6:,.0f} MB: no drop is taken from the inbox.",
            )


def lacking(settings: Settings, database: Database, inspector: Inspector) -> list[DigitlineError]:
    """Where there is no room, why, and what to do about it; a server that does not answer lacks nothing here."""
    checks = (partial(check_ledger, database), partial(check_redis, inspector), partial(check_disk, settings))
    found: list[DigitlineError] = []
    for check in checks:
        try:
            check()
        except NO_ROOM as error:
            found.append(error)
        except (LedgerUnreachable, QueueUnreachable, OSError) as error:
            log.debug("whether there is room cannot be told: %s", error)
    return found
