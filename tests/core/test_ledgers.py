"""A ledger that a test used comes to the next one as if new, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from core import tables
from core.database import Database
from tests.core.examples import create_batch, rows
from tests.ledgers import Ledgers


@pytest.fixture
def ledgers(_ledgers: Ledgers) -> Ledgers:
    """Those of the session."""
    return _ledgers


def test_a_ledger_only_written_to_comes_back_empty_and_counts_from_one(ledgers: Ledgers) -> None:
    name = ledgers.borrow()
    for _ in range(2):
        database = Database(ledgers.url(name))
        assert {len(rows(database, table)) for table in tables.metadata.sorted_tables} == {0}
        assert create_batch(database).id == 1
        database.close()
        ledgers.give_back(name)
        assert ledgers.borrow() == name
    ledgers.give_back(name)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = 'f00d'",
        "ALTER TABLE jobs ADD COLUMN more integer",
        "CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "DROP TABLE alembic_version",
    ],
)
def test_a_ledger_whose_schema_was_changed_is_not_used_again(ledgers: Ledgers, change: str) -> None:
    name = ledgers.borrow()
    database = Database(ledgers.url(name))
    with database.begin() as connection:
        connection.execute(text(change))
    database.close()
    ledgers.give_back(name)
    assert not ledgers.exists(name)


def test_a_ledger_to_which_somebody_is_still_connected_is_not_used_again(ledgers: Ledgers) -> None:
    name = ledgers.borrow()
    database = Database(ledgers.url(name))
    database.check_revision()
    ledgers.give_back(name)
    assert not ledgers.exists(name)
    database.close()
