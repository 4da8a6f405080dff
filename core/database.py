"""The connection to the ledger: one engine per process, made after the fork, with the settings each database needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, String, column, create_engine, select, table
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InternalError, OperationalError

from core import sqlite
from core.errors import LedgerUnreachable, LedgerUnwritable, RevisionMismatch, SettingsError

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

#: Seconds a PostgreSQL statement waits for a lock.
LOCK_TIMEOUT = 30

#: What every session of PostgreSQL is told.
_SESSION = {"lock_timeout": f"{LOCK_TIMEOUT}s", "timezone": "utc"}
#: So that the server lets go, within 25 s, of what a host holds that is cut off in the middle of a transaction; by its own
#: defaults its locks would keep all others from the job for two hours.
_CUT_OFF = {
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
}

#: How the URL of a ledger is written.
_FORM = "Write it as sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME."

#: What Alembic keeps of a ledger.
_REVISION = select(column("version_num", String)).select_from(table("alembic_version"))

#: What PostgreSQL calls a disk that is full, and a server or a transaction that only reads.
_UNWRITABLE = ("53100", "25006")


class Database:
    """A ledger's database, opened lazily; safe to hold before a fork, not across one once used."""

    def __init__(self, url: str) -> None:
        """Remember where the ledger is.

        Args:
            url: as SQLAlchemy writes it, `sqlite:///...` or `postgresql://...`.

        Raises:
            LedgerUnreachable: the URL is no URL, or that of another kind of database.
            SettingsError: it has a parameter that its database does not know.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise LedgerUnreachable("DIGITLINE_DATABASE_URL is not a database URL.", mend=_FORM) from error
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            kind = parsed.get_backend_name()
            raise LedgerUnreachable(
                f"DIGITLINE_DATABASE_URL names {kind}; a ledger is SQLite or PostgreSQL.", mend=_FORM
            )
        if "@" in (parsed.host or ""):
            # What follows the first @ of a password is taken for the host, and hosts are shown in messages.
            raise LedgerUnreachable("DIGITLINE_DATABASE_URL has an @ in its password.", mend="Write it as %40.")
        _check_parameters(parsed)
        self.url = parsed
        self._has_revision = False

    @property
    def sqlite(self) -> bool:
        """True where the ledger is a SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def address(self) -> str:
        """Its URL for people, without the password."""
        return str(self.url.render_as_string(hide_password=True))

    @property
    def place(self) -> str:
        """Where it is, at the beginning of a sentence."""
        return f"The database {self.address}"

    @cached_property
    def engine(self) -> Engine:
        """The engine; small pools, for a process has one thread that talks to the ledger."""
        if self.sqlite:
            return sqlite.make_engine(self.url)
        told = " ".join(f"-c {name}={value}" for name, value in {**_SESSION, **_CUT_OFF}.items())
        options = {"connect_timeout": 10, "options": told}
        return create_engine(self.url, pool_size=2, max_overflow=2, pool_pre_ping=True, connect_args=options)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on an error.

        Raises:
            LedgerUnwritable: the database has no room, or may only be read; what it said is the cause.
            LedgerUnreachable: the database does not answer; what it said is the cause.
        """
        with self._transaction(self.engine) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that only reads, so that it keeps no writer waiting longer than it must.

        Raises:
            LedgerUnreachable: the database does not answer; what it said is the cause.
        """
        with self._transaction(self.engine.execution_options(**{sqlite.READS_ONLY: True})) as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            if _is_lock(error):
                raise LedgerUnreachable(f"{self.place} is busy: {_first_line(error)}.", mend="Try again.") from error
            if _is_unwritable(error):
                raise LedgerUnwritable(f"{self.place} takes nothing: {_first_line(error)}.") from error
            # DatabaseError itself is SQLite's word for a file that is damaged or no database at all, and InternalError
            # PostgreSQL's for a server that only reads.
            if isinstance(error, OperationalError | InternalError) or type(error) is DatabaseError:
                raise LedgerUnreachable(f"{self.place} does not answer: {_first_line(error)}.") from error
            raise

    def check_revision(self) -> None:
        """Refuse a schema this code does not work with.

        Raises:
            RevisionMismatch: the schema is missing, older or newer.
            LedgerUnreachable: the database does not answer.
        """
        if self.sqlite and not Path(self.url.database or "").exists():
            raise RevisionMismatch(
                f"There is no database at {self.url.database} yet.",
                mend="Run `digitline up` or `digitline migrate`, or name the home of a line with DIGITLINE_HOME.",
            )
        present = self.refuse_unknown_revision()
        wanted, _ = _revisions(MIGRATIONS)
        if present is None:
            raise RevisionMismatch(f"{self.place} has no Digitline tables yet.")
        if present != wanted:
            raise RevisionMismatch(f"{self.place} is at revision {present}, this Digitline needs {wanted}.")

    def refuse_unknown_revision(self) -> str | None:
        """The schema's revision, None where there is no schema yet.

        Raises:
            RevisionMismatch: this code does not know the revision, so a newer Digitline wrote it.
            LedgerUnreachable: the database does not answer.
        """
        with self.read() as connection:
            # Alembic looks for its table first, which takes longer than to submit an image; once it was there, it is.
            if self._has_revision:
                present = connection.scalar(_REVISION)
            else:
                present = MigrationContext.configure(connection).get_current_revision()
        self._has_revision = present is not None
        if present is not None and present not in _revisions(MIGRATIONS)[1]:
            raise RevisionMismatch(
                f"{self.place} is at revision {present}, which this Digitline does not know.",
                mend="Install the version of Digitline that wrote it, or a newer one.",
            )
        return present

    def alembic_config(self) -> Config:
        """Alembic's configuration for this database."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["database"] = self
        return config

    def close(self) -> None:
        """Close the engine's connections, if it was ever opened."""
        if "engine" in self.__dict__:
            self.engine.dispose()


@cache  # Alembic compiles every migration to tell, which takes longer than all else that submits one image
def _revisions(folder: Path) -> tuple[str | None, frozenset[str]]:
    """The newest revision that this code knows, and all of them."""
    scripts = ScriptDirectory(str(folder))
    return scripts.get_current_head(), frozenset(script.revision for script in scripts.walk_revisions())


def _check_parameters(url: URL) -> None:
    """Raises SettingsError where what follows the `?` would only be found out, or left out, when the driver connects."""
    if (unknown := _unknown_parameter(url)) is not None:
        told = f"DIGITLINE_DATABASE_URL has a parameter that {url.get_backend_name()} does not know: {unknown}."
        raise SettingsError(told, mend="Take it out of the URL.")


def _unknown_parameter(url: URL) -> str | None:
    if url.get_backend_name() == "sqlite":
        return None if "uri" in url.query else next((name for name in url.query if name not in sqlite.PARAMETERS), None)
    # Imported here, for a ledger in SQLite does without it.
    psycopg = import_module("psycopg")
    for name in url.query:
        try:
            psycopg.conninfo.make_conninfo("", **{name: ""})
        except psycopg.ProgrammingError:
            return name
    return None


def _is_lock(error: DBAPIError) -> bool:
    """True where others hold what is wanted: a deadlock or a lock timeout of PostgreSQL."""
    return getattr(error.orig, "sqlstate", None) in ("40P01", "55P03")


def _is_unwritable(error: DBAPIError) -> bool:
    """True where there is no room for what is to be written, or nothing may be written at all."""
    if getattr(error.orig, "sqlstate", None) in _UNWRITABLE:
        return True
    return getattr(error.orig, "sqlite_errorname", "").startswith(sqlite.UNWRITABLE)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".") if error.orig else "no reason given"
