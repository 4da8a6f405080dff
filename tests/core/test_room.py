"""Whether the ledger takes what it is given is tried out, and nothing of the trial stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import inspect

from core import room
from core.database import Database
from core.errors import LedgerUnwritable, QueueUnwritable
from core.queues import Inspector
from tests.conftest import MakeSettings
from tests.full import no_room
from tests.servers import RedisServer


def test_a_ledger_with_room_passes_and_is_as_before(database: Database) -> None:
    before = inspect(database.engine).get_table_names()
    for _ in range(2):
        room.check_ledger(database)
    assert inspect(database.engine).get_table_names() == before


def test_a_ledger_that_may_only_be_read_is_named(postgres: Database) -> None:
    with postgres.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {postgres.url.database} SET default_transaction_read_only = on")
    postgres.close()
    with pytest.raises(LedgerUnwritable, match="may only be read") as caught:
        room.check_ledger(postgres)
    assert "let it be written to" in caught.value.mend


def test_a_role_that_only_looks_on_tells_nothing_and_fails_at_nothing(postgres: Database) -> None:
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE looker LOGIN")
        connection.exec_driver_sql(f"REVOKE TEMPORARY ON DATABASE {postgres.url.database} FROM PUBLIC")
    looker = Database(postgres.url.set(username="looker").render_as_string())
    try:
        room.check_ledger(looker)
    finally:
        looker.close()
        with postgres.begin() as connection:
            connection.exec_driver_sql("DROP ROLE looker")


def test_a_sqlite_file_that_may_not_grow_is_named(sqlite: Database) -> None:
    with no_room(sqlite), pytest.raises(LedgerUnwritable, match="database or disk is full"):
        room.check_ledger(sqlite)
    room.check_ledger(sqlite)


def test_all_that_lacks_room_is_listed_and_a_server_that_is_away_is_not(
    sqlite: Database, settings: MakeSettings, tmp_path: Path
) -> None:
    with RedisServer(maxmemory="1") as redis:
        full = settings(database_url=f"sqlite:///{sqlite.url.database}", broker_url=redis.url, min_free=2**60)
        full.inbox_folder.mkdir(parents=True)
        inspector = Inspector(full)
        found = room.lacking(full, sqlite, inspector)
        inspector.close()
        assert [type(error).__name__ for error in found] == ["QueueUnwritable", "DiskFull"]
        with pytest.raises(QueueUnwritable, match="Redis takes nothing"):
            room.check_redis(inspector)
        inspector.close()
    away = settings(database_url=full.database, broker_url=f"redis+socket://{tmp_path}/none", min_free=0)
    assert room.lacking(away, sqlite, Inspector(away)) == []
