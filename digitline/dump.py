"""A consistent copy of a ledger by its database's own means, while the line runs, and the way back."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from alembic import command
from psycopg.pq import Conninfo

from core import sqlite
from core.database import Database
from core.errors import DigitlineError, LedgerUnreachable

#: What both of PostgreSQL's tools are told. Who owns what is the business of the database that it goes into; and
#: nobody is there to be asked for a password.
_OPTIONS = ["--no-owner", "--no-privileges", "--no-password"]
_DUMP = ["pg_dump", "--format=custom", *_OPTIONS]
_RESTORE = ["pg_restore", "--clean", "--if-exists", "--single-transaction", "--exit-on-error", *_OPTIONS]
#: Bytes of what a tool said last that an error repeats.
_TAIL = 2000


@contextmanager
def of_ledger(database: Database, scratch: Path) -> Iterator[IO[bytes]]:
    """Copy the ledger as it is at one moment; writers go on meanwhile.

    Args:
        database: the ledger.
        scratch: an empty folder, with room for a SQLite ledger.

    Yields:
        What is to be kept: a SQLite file, or what `pg_dump` writes.

    Raises:
        LedgerUnreachable: it cannot be read whole.
        DigitlineError: there is no `pg_dump`, or it failed.
    """
    if database.sqlite:
        snapshot = scratch / "ledger.sqlite"
        _copy_sqlite(Path(database.url.database or ""), snapshot)
        with snapshot.open("rb") as content:
            yield content
    else:
        with _pg_dump(database) as content:
            yield content


def load_postgresql(database: Database, dump: Path, revision: str) -> None:
    """Put a dump in place of a ledger without jobs, or into an empty database; all of it or nothing.

    Args:
        database: where to; what it has of a ledger is at this version's revision.
        dump: of `pg_dump --format=custom`.
        revision: of the dump; not newer than this version's.

    Raises:
        DigitlineError: there is no `pg_restore`; or it failed, and put nothing in place.
    """
    tool = _tool(_RESTORE, f"{shlex.join(_RESTORE)} --dbname=NAME {shlex.quote(dump.name)}")
    if database.refuse_unknown_revision() is not None:
        # pg_restore drops what the dump has, and would leave what came to the schema later.
        command.downgrade(database.alembic_config(), revision)
    database.close()
    ended = subprocess.run(
        [tool, *_RESTORE[1:], f"--dbname={database.url.database or ''}", str(dump)],
        env=_environment(database),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if ended.returncode:
        raise DigitlineError(f"pg_restore failed: {_said(ended.stderr)}")


def _copy_sqlite(ledger: Path, snapshot: Path) -> None:
    """Copy by SQLite's online backup, in one step: copied in several, it would start anew with every commit."""
    try:
        with (
            closing(sqlite.library.connect(ledger, timeout=sqlite.BUSY_TIMEOUT)) as source,
            closing(sqlite.library.connect(snapshot)) as copy,
        ):
            source.backup(copy)
            # The copy is one file, whatever journal the ledger has, and a SQLite that is to keep off the
            # write-ahead log (core.database) finds none.
            copy.execute("PRAGMA journal_mode=DELETE")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite.library.Error as error:
        raise LedgerUnreachable(f"{ledger} cannot be copied: {error}.", mend="Run `digitline doctor`.") from error
    if found != "ok":
        raise LedgerUnreachable(f"{ledger} is damaged: {found}.", mend="Take an earlier backup.")


@contextmanager
def _pg_dump(database: Database) -> Iterator[IO[bytes]]:
    place = f"--host={database.url.host or 'HOST'} --username={database.url.username or 'USER'}"
    by_hand = f"{shlex.join(_DUMP)} {place} --file=ledger.dump {database.url.database}"
    tool = _tool(_DUMP, by_hand)
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [tool, *_DUMP[1:]],
            env=_environment(database),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        try:
            assert process.stdout is not None
            with process.stdout:
                yield process.stdout
            failed = process.wait() != 0
        finally:
            process.kill()  # whoever reads has given up; one that ended by itself does not mind
            process.wait()
        if failed:
            complaints.seek(0)
            raise DigitlineError(f"pg_dump failed: {_said(complaints.read())}")


def _environment(database: Database) -> dict[str, str]:
    """How PostgreSQL's tools find the database: by variables, since everybody may read the list of processes."""
    _, places = database.engine.dialect.create_connect_args(database.url)
    variables = {option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    given = {variables[name]: str(value) for name, value in places.items() if name in variables}
    return {**os.environ, **given}


def _tool(words: list[str], by_hand: str) -> str:
    found = shutil.which(words[0])
    if found is None:
        raise DigitlineError(
            f"There is no {words[0]} on the PATH.",
            mend=f"Install the client programs of PostgreSQL, of the server's version, or run where they are: {by_hand}",
        )
    return found


def _said(complaints: bytes) -> str:
    return " ".join(complaints[-_TAIL:].decode(errors="replace").split()) or "it did not say why."
