"""Alembic's entry: runs the migrations of a database that core.database describes."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from core.database import Database
from core.settings import get_settings
from core.tables import metadata

#: Any number that no other program locks; two migrators of one PostgreSQL wait for each other.
_MIGRATION_LOCK = 0x6469676974


def migrate() -> None:
    """Bring the database to the revision asked for, in one transaction."""
    database: Database = context.config.attributes.get("database") or Database(get_settings().database)
    with database.begin() as connection:
        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=database.sqlite)
        context.run_migrations()


migrate()
