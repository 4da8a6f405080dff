"""The migrated schema is the one the code speaks of; one upgrade however many start it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, select, text

from core import tables
from core.database import Database
from core.ledger import batches, corrections, jobs, models, promotions, results, reviews
from core.ledger.corrections import Word
from core.vocabulary import Accounts, JobState, Outcome, Reason, Verdict
from tests.conftest import MakeSettings
from tests.core.examples import (
    create_batch,
    create_job,
    outcome,
    prediction,
    register_model,
    rejection,
    score,
    take,
)
from tests.environment import ROOT, variables

#: A ledger of the first revision: a rollback from `second` to `first`, and a batch that was scored.
OLD_LEDGER = (
    """
    INSERT INTO models (id, name, sha256, alias, location, card, registered_at, promoted_at) VALUES
    (1, 'first', 'a', 'production', '/first', '{}', '2026-01-01 00:00:00', '2026-01-03 00:00:00'),
    (2, 'second', 'b', NULL, '/second', '{}', '2026-01-01 00:00:00', '2026-01-02 00:00:00'),
    (3, 'third', 'c', NULL, '/third', '{}', '2026-01-01 00:00:00', NULL)
    """,
    """
    INSERT INTO jobs (id, name, source, state, queue, triggered_by, model_id, found, batch_count, options, created_at)
    VALUES (1, 'scans', 'file:///scans', 'done', 'express', 'script', 1, 1, 1, '{}', '2026-01-01 00:00:00')
    """,
    """
    INSERT INTO batches (id, job_id, sequence, size, state, attempts, sent_at, scored, rejected, quarantined, labelled,
                         correct, manifest)
    VALUES (1, 1, 1, 1, 'done', 1, '2026-01-01 00:00:00', 1, 0, 0, 0, 0, '{"paths": ["1.png"], "true_labels": null}')
    """,
    """
    INSERT INTO predictions (batch_id, position, path, sha256, label, confidence, margin, verdict)
    VALUES (1, 0, '1.png', 'd', 7, 0.9, 0.8, 'digit')
    """,
)

FIRST_VIEWS = {"job_summary", "job_confusion", "model_confusion"}
VIEWS = FIRST_VIEWS | {"reviewed"}


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


def old_ledger(url: str) -> Database:
    """A ledger of the first revision, with rows in it."""
    database = Database(url)
    command.upgrade(database.alembic_config(), "0001")
    with database.begin() as connection:
        for statement in OLD_LEDGER:
            connection.execute(text(statement))
    return database


def test_an_old_ledger_keeps_its_rows_and_knows_what_was_in_production(empty_database_url: str) -> None:
    database = old_ledger(empty_database_url)
    command.upgrade(database.alembic_config(), "head")
    assert [one.model_id for one in promotions.history(database)] == [2, 1]
    assert (models.find(database, "production").id, models.previous(database).id) == (1, 2)
    job = jobs.get(database, 1)
    assert (job.accounts.scored, job.accounts.balanced, job.escalated) == (1, True, 0)
    assert [(one.path, one.label, one.model) for one in results.of_job(database, 1)] == [("1.png", 7, "first")]
    database.close()


def test_the_registry_can_be_taken_back_without_a_loss_to_what_was_scored(database: Database) -> None:
    job = create_job(database)
    score(database, job)
    models.challenge(database, register_model(database, "other"), 0.5)
    command.downgrade(database.alembic_config(), "0001")
    inspector = inspect(database.engine)
    assert {"promotions", "shadow_predictions"}.isdisjoint(inspector.get_table_names())
    assert "escalated" not in {column["name"] for column in inspector.get_columns("batches")}
    assert set(inspector.get_view_names()) == FIRST_VIEWS
    command.upgrade(database.alembic_config(), "head")
    assert jobs.get(database, job.id).accounts.scored == 3
    assert len(list(results.of_job(database, job.id))) == 3


def test_a_ledger_of_single_digits_learns_to_keep_strings(empty_database_url: str) -> None:
    database = old_ledger(empty_database_url)
    command.upgrade(database.alembic_config(), "0002")
    with database.begin() as connection:
        connection.execute(text("INSERT INTO shadow_predictions VALUES (1, 0, 2, 1, 0.5)"))
    before = _rows(database, "predictions")
    command.upgrade(database.alembic_config(), "0003")
    assert _rows(database, "predictions") == [{**row, "string": None, "digits": None} for row in before]
    assert len(_rows(database, "shadow_predictions")) == 1
    command.upgrade(database.alembic_config(), "head")
    assert jobs.get(database, 1).split is False
    database.close()


def test_strings_can_be_taken_back_and_the_accounts_balance_all_the_same(database: Database) -> None:
    job = create_job(database, [4, 2], labelled=True)
    first, second = (take(database, batch) for batch in batches.of_job(database, job.id))
    strange = prediction(first, 3, 3, Verdict.NOT_A_DIGIT)
    several = replace(rejection(first, 2, Reason.SEVERAL), true_label=None)
    batches.finish(
        database, first, Outcome([prediction(first, 0, 0), prediction(first, 1, "12"), strange], [several], [])
    )
    batches.finish(database, second, outcome(second))
    assert jobs.get(database, job.id).accounts == Accounts(6, 5, 1, 0)
    command.downgrade(database.alembic_config(), "0002")
    assert "string" not in {column["name"] for column in inspect(database.engine).get_columns("predictions")}
    (summary,) = _rows(database, "job_summary")
    assert [summary[count] for count in ("found", "scored", "rejected", "open")] == [6, 4, 2, 0]
    scored, refused = _rows(database, "predictions"), _rows(database, "rejections")
    assert [(row["label"], row["verdict"]) for row in scored] == [(0, "uncertain"), (3, "uncertain")] + [
        (label, "uncertain") for label in (0, 1)
    ]
    assert [(row["position"], row["reason"]) for row in refused] == [(1, "unreadable"), (2, "unreadable")]
    assert refused[0]["message"] == "The image shows several digits, read as 12."
    command.upgrade(database.alembic_config(), "head")
    assert len(list(results.of_job(database, job.id))) == 6


def test_a_job_that_is_paused_goes_on_where_pauses_are_taken_back(database: Database) -> None:
    job = create_job(database, [1, 2], max_rejected=0.0)
    lease = take(database, batches.of_job(database, job.id)[0])
    batches.finish(database, lease, outcome(lease, labels=[None]))
    assert [row["state"] for row in _rows(database, "job_summary")] == ["paused"]
    command.downgrade(database.alembic_config(), "0003")
    (row,) = _rows(database, "jobs")
    assert (row["state"], row["error"], "paused_at" in row) == ("running", None, False)
    assert [row["state"] for row in _rows(database, "job_summary")] == ["running"]
    command.upgrade(database.alembic_config(), "head")
    assert jobs.get(database, job.id).state is JobState.RUNNING


def test_of_the_corrections_of_an_old_ledger_the_last_word_on_an_image_stands(empty_database_url: str) -> None:
    database = old_ledger(empty_database_url)
    command.upgrade(database.alembic_config(), "0010")
    said = "INSERT INTO corrections (batch_id, position, corrected_by, corrected_at, old_label, new_label) VALUES "
    with database.begin() as connection:
        connection.execute(text(f"{said} (1, 0, 'ada', '2026-01-02 00:00:00', 7, 1)"))
        connection.execute(text(f"{said} (1, 0, 'bob', '2026-01-03 00:00:00', 1, 9)"))
    command.upgrade(database.alembic_config(), "head")
    assert [(str(one.word), one.corrected_by) for one in corrections.of_job(database, 1)] == [("9", "bob")]
    assert [(cell.actual, cell.predicted, cell.count) for cell in results.job_confusion(database, 1)] == [(9, 7, 1)]
    assert [(row["job_id"], row["stands"]) for row in _rows(database, "corrections")] == [(1, False), (1, True)]
    assert jobs.get(database, 1).labelled_by_review == 1
    database.close()


def test_reviews_can_be_taken_back_and_the_digits_that_people_said_stay(database: Database) -> None:
    job = create_job(database, [3], labelled=True)
    score(database, job)
    corrections.record(database, job.id, "1/0.png", 7, by="ada")
    corrections.record(database, job.id, "1/1.png", Word.of("several"), by="ada")
    corrections.record(database, job.id, "1/0.png", 8, by="ada")
    assert corrections.withdraw(database, by="ada") is not None
    assert len(reviews.hand_out(database, "ada")) == 1
    command.downgrade(database.alembic_config(), "0010")
    assert set(inspect(database.engine).get_view_names()) == FIRST_VIEWS
    assert [(row["new_label"], row["corrected_by"]) for row in _rows(database, "corrections")] == [(7, "ada")]
    assert [row["correct"] for row in _rows(database, "job_summary")] == [3]
    assert sum(int(str(row["count"])) for row in _rows(database, "job_confusion")) == 3
    command.upgrade(database.alembic_config(), "head")
    assert jobs.get(database, job.id).correct == 2


def _rows(database: Database, table: str) -> list[dict[str, object]]:
    """All rows of a table, as the database has them at its revision."""
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))]


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
