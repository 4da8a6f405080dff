"""The migrated schema is the one the code speaks of; one upgrade however many start it."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, select, text

from core import tables
from core.database import Database
from tests.conftest import MakeSettings
from tests.core.examples import create_batch
from tests.environment import ROOT, variables

VIEWS = {"job_summary", "job_confusion", "model_confusion"}


def test_the_migrated_schema_is_that_of_the_tables(database: Database) -> None:
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata) == []


def test_the_migrated_constraints_are_those_of_the_tables(database: Database) -> None:
    inspector = inspect(database.engine)
    for table in tables.metadata.sorted_tables:
        checks = {str(item.name) for item in table.constraints if isinstance(item, CheckConstraint)}
        assert {check["name"] for check in inspector.get_check_constraints(table.name)} == checks
        keys = {str(key.name) for key in table.foreign_key_constraints}
        assert {key["name"] for key in inspector.get_foreign_keys(table.name)} == keys
        assert inspector.get_pk_constraint(table.name)["constrained_columns"] == table.primary_key.columns.keys()


def test_rejected_cells_have_a_unique_index_of_their_own(database: Database) -> None:
    indexes = {index["name"]: index for index in inspect(database.engine).get_indexes("confusion")}
    index = indexes["uq_confusion_rejected_cell"]
    assert (index["column_names"], bool(index["unique"])) == (["batch_id", "actual"], True)
    condition = str(index["dialect_options"][f"{database.engine.dialect.name}_where"])
    assert condition.strip("()").upper() == "PREDICTED IS NULL"


def test_an_empty_database_is_migrated(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    command.upgrade(database.alembic_config(), "head")
    database.check_revision()
    assert set(inspect(database.engine).get_view_names()) == VIEWS
    assert set(inspect(database.engine).get_table_names()) == {*tables.metadata.tables, "alembic_version"}
    database.close()


def test_migrating_again_changes_nothing(database: Database) -> None:
    batch = create_batch(database)
    command.upgrade(database.alembic_config(), "head")
    database.check_revision()
    with database.read() as connection:
        assert connection.scalars(select(tables.batches.c.id)).all() == [batch.id]


def test_a_migration_that_fails_leaves_nothing_half_done(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE rejections (in_the_way integer)"))
    with pytest.raises(Exception, match="already exists"):
        command.upgrade(database.alembic_config(), "head")
    assert inspect(database.engine).get_table_names() == ["rejections"]
    database.close()


def test_migrators_at_once_make_one_upgrade(empty_database_url: str, settings: MakeSettings) -> None:
    environment = variables(settings(database_url=empty_database_url))
    migrate = [sys.executable, "-m", "alembic", "-c", str(ROOT / "alembic.ini"), "upgrade", "head"]
    started = [Popen(migrate, env=environment, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True) for _ in range(3)]
    for process in started:
        _out, said = process.communicate(timeout=100)
        assert process.returncode == 0, said
    database = Database(empty_database_url)
    database.check_revision()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1
    database.close()


def test_the_migrations_are_found_from_any_folder(
    empty_sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database(empty_sqlite_url)
    command.upgrade(database.alembic_config(), "head")
    database.check_revision()
    database.close()
