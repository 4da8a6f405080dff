"""PostgreSQL ledgers for tests: copies of a migrated template; one that was only written to is emptied and used again."""

from __future__ import annotations

from itertools import count

import psycopg
from alembic import command

from core.database import Database
from core.tables import metadata
from tests.servers import PostgresServer
from tests.waiting import wait_until

TEMPLATE = "migrated"

#: What a test may have changed beside rows: the schema, its revision, functions and triggers.
_FINGERPRINT = """
SELECT (SELECT array_agg(version_num) FROM alembic_version), (SELECT count(*) FROM pg_class),
       (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_trigger),
       (SELECT count(*) FROM pg_proc)
"""
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_EMPTY = "; ".join(
    [
        *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)),
        "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'",
    ]
)


class Ledgers:
    """The databases of one server; copying the template costs a tenth of a second and more."""

    def __init__(self, server: PostgresServer) -> None:
        """Migrate the template that the others are copies of."""
        self._server = server
        self._numbers = count(1)
        self._spare: list[str] = []
        database = Database(server.create_database(TEMPLATE))
        command.upgrade(database.alembic_config(), "head")
        database.close()
        with server.connect(TEMPLATE) as connection:
            self._untouched = connection.execute(_FINGERPRINT).fetchone()

    def url(self, name: str) -> str:
        """SQLAlchemy URL of a database."""
        return self._server.url(name)

    def create(self, template: str = TEMPLATE) -> str:
        """A new database; returns its name."""
        name = f"test_{next(self._numbers)}"
        self._server.create_database(name, template=template)
        return name

    def drop(self, name: str) -> None:
        """Drop a database whoever is connected."""
        self._server.drop_database(name)

    def exists(self, name: str) -> bool:
        """True until the database is dropped."""
        with self._server.connect() as connection:
            return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None

    def borrow(self) -> str:
        """An empty ledger that may have been used before; returns its name."""
        return self._spare.pop() if self._spare else self.create()

    def give_back(self, name: str) -> None:
        """Empty a ledger for the next test; drop it where somebody is still connected or its schema was changed."""
        if self._emptied(name):
            self._spare.append(name)
        else:
            self.drop(name)

    def _emptied(self, name: str) -> bool:
        with self._server.connect(name) as connection:
            try:
                # The server notices some milliseconds late that a client has left.
                wait_until(lambda: connection.execute(_OTHERS).fetchone() == (0,), "all have left", 2.0, 0.01)
                untouched = connection.execute(_FINGERPRINT).fetchone() == self._untouched
            except (AssertionError, psycopg.Error):
                return False
            if untouched:
                connection.execute(_EMPTY.encode())
            return untouched
