"""SQLite takes many writers: they wait for each other, and none of them, nor its death, harms the file."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import pytest
from sqlalchemy import select, update

from core import tables
from core.database import Database
from core.ledger import batches, jobs
from core.sqlite import library, wal_is_safe
from core.vocabulary import Accounts, JobState
from tests.conftest import MakeSettings
from tests.core.examples import create_batch, create_job, outcome, rows, take
from tests.core.racing import at_once, several_databases
from tests.environment import variables

WRITERS = 8
BATCHES = 200


def test_eight_writers_wait_for_each_other(sqlite: Database, sqlite_url: str, settings: MakeSettings) -> None:
    job = create_job(sqlite, [2] * BATCHES, labelled=True)
    batch_ids = [str(batch.id) for batch in batches.of_job(sqlite, job.id)]
    program = [sys.executable, "-m", "tests.core.writers", sqlite_url, str(WRITERS), *batch_ids]
    ended = subprocess.run(program, env=variables(settings()), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout)
    assert sum(transactions for transactions, _done in counts) == BATCHES * (WRITERS + 2)
    assert sum(done for _transactions, done in counts) == BATCHES
    closed = jobs.get(sqlite, job.id)
    assert (closed.state, closed.accounts) == (JobState.DONE, Accounts(2 * BATCHES, BATCHES, BATCHES, 0))
    assert {row["attempts"] for row in rows(sqlite, tables.batches)} == {1}
    assert_sound(sqlite)


def assert_sound(database: Database) -> None:
    """SQLite's own word on every page and every foreign key of the file."""
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


DIE_WHILE_WRITING = """
import os, signal
from core.database import Database
from core.settings import get_settings
with Database(get_settings().database).begin() as connection:
    connection.exec_driver_sql("PRAGMA cache_size=1")  # pages go to the file before the commit
    connection.exec_driver_sql("UPDATE batches SET attempts = 9, error = printf('%.*c', 200000, 'x')")
    connection.exec_driver_sql("DELETE FROM predictions")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_amid_its_transaction_leaves_no_trace(
    sqlite: Database, sqlite_url: str, settings: MakeSettings
) -> None:
    lease = take(sqlite, create_batch(sqlite, 50))
    batches.finish(sqlite, lease, outcome(lease))
    before = [rows(sqlite, table) for table in tables.metadata.sorted_tables]
    environment = variables(settings(database_url=sqlite_url))
    for _ in range(3):
        program = [sys.executable, "-c", DIE_WHILE_WRITING]
        killed = subprocess.run(program, env=environment, capture_output=True, check=False)
        assert killed.returncode == -9, killed.stderr
        assert [rows(sqlite, table) for table in tables.metadata.sorted_tables] == before
        assert_sound(sqlite)
    take(sqlite, create_batch(sqlite))


def test_reading_before_writing_in_one_transaction_loses_no_update(sqlite: Database, sqlite_url: str) -> None:
    create_batch(sqlite)

    def count_up(database: Database) -> None:
        for _ in range(25):
            with database.begin() as connection:
                attempts = connection.scalars(select(tables.batches.c.attempts)).one()
                connection.execute(update(tables.batches).values(attempts=attempts + 1))

    with several_databases(sqlite_url, 4) as many:
        at_once([partial(count_up, database) for database in many])
    assert [row["attempts"] for row in rows(sqlite, tables.batches)] == [100]


def test_readers_do_not_wait_for_a_writer_that_has_not_committed(sqlite: Database, sqlite_url: str) -> None:
    batch = create_batch(sqlite)
    with sqlite.begin() as writer:
        writer.exec_driver_sql("UPDATE batches SET attempts = 7")
        assert [row["attempts"] for row in rows(Database(sqlite_url), tables.batches)] == [0]
    assert [(row["id"], row["attempts"]) for row in rows(sqlite, tables.batches)] == [(batch.id, 7)]


def test_every_connection_checks_foreign_keys_and_keeps_the_safest_fast_journal(sqlite: Database) -> None:
    with sqlite.read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    assert journal == ("wal" if wal_is_safe(library.sqlite_version_info) else "delete")


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 6), True),
        ((3, 50, 6), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((4, 0), True),
    ],
)
def test_a_write_ahead_log_is_kept_only_by_a_sqlite_that_has_the_fix(version: tuple[int, ...], safe: bool) -> None:
    assert wal_is_safe(version) is safe
