"""A schema that this code does not know is refused, and the error says what to do about it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

from core import database as database_module
from core.database import MIGRATIONS, Database
from core.errors import LedgerUnreachable, RevisionMismatch

#: The newest migration that there is.
HEAD = ScriptDirectory(str(MIGRATIONS)).get_current_head()

NEXT = f'''
"""One more."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{HEAD}"


def upgrade() -> None:
    """Apply."""
    op.add_column("models", sa.Column("notes", sa.Text()))
'''


@pytest.fixture
def next_digitline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a Digitline with one more migration."""
    later = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, later, ignore=shutil.ignore_patterns("__pycache__"))
    (later / "versions" / "9999_one_more.py").write_text(NEXT)
    monkeypatch.setattr(database_module, "MIGRATIONS", later)


def test_the_present_revision_is_accepted(database: Database) -> None:
    database.check_revision()


def test_an_unmigrated_database_is_refused(empty_postgres_url: str) -> None:
    database = Database(empty_postgres_url)
    with pytest.raises(RevisionMismatch, match="has no Digitline tables yet") as caught:
        database.check_revision()
    assert caught.value.mend == "Run `digitline migrate`."
    database.close()


def test_a_missing_file_is_refused_and_not_created(empty_sqlite_url: str) -> None:
    database = Database(empty_sqlite_url)
    path = Path(database.url.database or "")
    with pytest.raises(RevisionMismatch, match=r"There is no database at .*empty\.sqlite yet") as caught:
        database.check_revision()
    assert "digitline migrate" in caught.value.mend
    assert "DIGITLINE_HOME" in caught.value.mend
    assert not path.exists()


def test_an_empty_file_is_refused(empty_sqlite_url: str) -> None:
    database = Database(empty_sqlite_url)
    Path(database.url.database or "").touch()
    with pytest.raises(RevisionMismatch, match="has no Digitline tables yet"):
        database.check_revision()


@pytest.mark.usefixtures("next_digitline")
def test_an_older_revision_is_refused_until_it_is_migrated(database: Database) -> None:
    with pytest.raises(RevisionMismatch, match=f"is at revision {HEAD}, this Digitline needs 9999") as caught:
        database.check_revision()
    assert caught.value.mend == "Run `digitline migrate`."
    command.upgrade(database.alembic_config(), "head")
    database.check_revision()


def test_an_unknown_revision_is_refused(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))
    with pytest.raises(RevisionMismatch, match="is at revision f00d, which this Digitline does not know") as caught:
        database.check_revision()
    assert caught.value.mend == "Install the version of Digitline that wrote it, or a newer one."


def test_a_file_that_is_no_database_is_refused(empty_sqlite_url: str) -> None:
    database = Database(empty_sqlite_url)
    Path(database.url.database or "").write_bytes(b"not a database, but long enough to be taken for one " * 100)
    with pytest.raises(LedgerUnreachable, match="file is not a database") as caught:
        database.check_revision()
    assert "DIGITLINE_DATABASE_URL" in caught.value.mend


def test_a_server_that_is_not_there_is_said_to_be_unreachable(tmp_path: Path) -> None:
    database = Database(f"postgresql://somebody:s3cret@/ledger?host={tmp_path}")
    with pytest.raises(LedgerUnreachable, match="does not answer") as caught:
        database.check_revision()
    assert "s3cret" not in str(caught.value)
    database.close()


def test_a_folder_that_is_not_there_is_said_to_be_unreachable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/ledger.sqlite")
    with pytest.raises(LedgerUnreachable, match="unable to open database file"), database.begin():
        pass


@pytest.mark.parametrize("url", ["", "ledger.sqlite", "postgres:s3cret@host/ledger"])
def test_what_is_no_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(LedgerUnreachable, match="DIGITLINE_DATABASE_URL is not a database URL") as caught:
        Database(url)
    assert "s3cret" not in str(caught.value)
    assert "postgresql://USER:PASSWORD@HOST/NAME" in caught.value.mend


@pytest.mark.parametrize("kind", ["mysql", "nosuchdb"])
def test_another_kind_of_database_is_refused(kind: str) -> None:
    with pytest.raises(LedgerUnreachable, match=f"names {kind}; a ledger is SQLite or PostgreSQL") as caught:
        Database(f"{kind}://somebody:s3cret@host/ledger")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_is_understood(postgres_url: str, scheme: str) -> None:
    database = Database(postgres_url.replace("postgresql+psycopg", scheme))
    database.check_revision()
    database.close()


def test_a_connection_that_broke_is_replaced(postgres: Database) -> None:
    for _ in range(2):
        postgres.check_revision()
        with pytest.raises(LedgerUnreachable, match="does not answer"), postgres.begin() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    postgres.check_revision()
