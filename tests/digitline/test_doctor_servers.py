"""The doctor on databases and Redis servers that are not as they should be, each of them broken for real."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.database import Database
from core.errors import DigitlineError, LineError, SettingsError
from core.queues import Inspector, make_app
from core.settings import Settings
from digitline.doctor import servers, work
from digitline.doctor.finding import Caution
from tests.conftest import MakeSettings
from tests.servers import RedisServer
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


def refusal(check: Callable[[Settings], str], settings: Settings) -> DigitlineError:
    """What a check has to say against a line."""
    with pytest.raises(DigitlineError) as refused:
        check(settings)
    return refused.value


def test_a_redis_as_it_should_be_is_in_order(settings: MakeSettings, redis_server: RedisServer) -> None:
    told = servers.redis(settings(broker_url=redis_server.url))
    assert told.startswith("0 waiting in express, 0 waiting in bulk; ")


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_a_redis_that_throws_messages_away_is_a_fault(settings: MakeSettings, policy: str) -> None:
    with RedisServer(maxmemory="8mb", maxmemory_policy=policy) as redis:
        refused = refusal(servers.redis, settings(broker_url=redis.url))
    assert not isinstance(refused, Caution)
    assert policy in str(refused)
    assert "noeviction" in refused.mend


def test_a_redis_that_forgets_everything_is_a_warning(settings: MakeSettings) -> None:
    with RedisServer(appendonly="no") as redis:
        refused = refusal(servers.redis, settings(broker_url=redis.url))
    assert isinstance(refused, Caution)
    assert "appendonly yes" in refused.mend
    with RedisServer(appendonly="no", save="3600 1") as redis:
        assert servers.redis(settings(broker_url=redis.url))


def test_a_redis_that_is_nearly_full_is_a_warning(settings: MakeSettings) -> None:
    with RedisServer() as redis:
        with redis.client() as client:
            client.set("filler", bytes(58 * 1024 * 1024))
            client.config_set("maxmemory", "64mb")
        refused = refusal(servers.redis, settings(broker_url=redis.url))
    assert isinstance(refused, Caution)
    assert "maxmemory" in refused.mend


def test_a_redis_that_is_a_copy_of_another_is_a_fault(settings: MakeSettings, redis_tcp_server: RedisServer) -> None:
    with RedisServer(replicaof=f"127.0.0.1 {redis_tcp_server.port}") as copy:
        refused = refusal(servers.redis, settings(broker_url=copy.url))
    assert not isinstance(refused, Caution)
    assert "a copy of another" in str(refused)


def test_messages_that_come_back_while_their_batch_is_worked_on_are_a_fault(settings: MakeSettings) -> None:
    assert servers.times(settings())
    refused = refusal(servers.times, settings(visibility_timeout=700, soft_time_limit=600))
    assert not isinstance(refused, Caution)
    assert "above 751" in refused.mend
    assert isinstance(refusal(servers.times, settings(lease_time=5.0)), Caution)


def test_a_worker_that_has_messages_come_back_sooner_is_found_out(
    settings: MakeSettings, sqlite_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    ours = settings(broker_url=redis_server.url, database_url=sqlite_url)
    theirs = settings(broker_url=redis_server.url, visibility_timeout=60)
    script = (
        "import sys; from core.queues import make_app; from core.settings import get_settings; "
        "make_app(get_settings()).worker_main(['--quiet', 'worker', '--pool=solo', '--hostname=other@%h', '--queues=bulk'])"
    )
    variables = {
        "DIGITLINE_BROKER_URL": theirs.broker,
        "DIGITLINE_VISIBILITY_TIMEOUT": "60",
        "PYTHONPATH": str(ROOT),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-c", script], env=variables, stdout=log, stderr=log)
    try:
        with closing(make_app(ours)) as app:
            wait_until(lambda: app.control.inspect(timeout=1.0).stats(), "the worker answers", 60.0)
        refused = refusal(work.workers, ours)
    finally:
        worker.kill()
        worker.wait()
    assert isinstance(refused, Caution)
    assert "60 s" in str(refused)
    assert "DIGITLINE_VISIBILITY_TIMEOUT" in refused.mend


def test_clocks_that_are_apart_are_a_warning_and_far_apart_a_fault(
    settings: MakeSettings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(database_url=database_url)
    assert servers.clock(chosen)
    here = time.time
    for apart, of_kind in ((-60.0, Caution), (60.0, Caution), (-3600.0, LineError), (3600.0, LineError)):
        monkeypatch.setattr("digitline.doctor.servers.time.time", lambda by=apart: here() + by)
        refused = refusal(servers.clock, chosen)
        assert type(refused) is of_kind
        assert f"{abs(apart):.0f} s apart" in str(refused)
        assert "NTP" in refused.mend


def test_a_ledger_of_another_revision_is_a_fault(settings: MakeSettings, database_url: str) -> None:
    with closing(Database(database_url)) as ledger, ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from_the_future'")
    refused = refusal(servers.database, settings(database_url=database_url))
    assert "does not know" in str(refused)
    assert "newer" in refused.mend


def test_a_ledger_that_may_only_be_read_is_a_fault(settings: MakeSettings, postgres_url: str) -> None:
    chosen = settings(database_url=postgres_url)
    assert postgres_url.rpartition("/")[2].partition("?")[0] in servers.database(chosen)
    with closing(Database(postgres_url)) as ledger, ledger.begin() as connection:
        name = ledger.url.database
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert "may only be read" in str(refusal(servers.database, chosen))


def test_a_redis_whose_memory_is_full_is_a_fault(settings: MakeSettings) -> None:
    with RedisServer() as redis:
        with redis.client() as client:
            client.config_set("maxmemory", 1)
        refused = refusal(servers.redis, settings(broker_url=redis.url))
    assert not isinstance(refused, Caution)


def test_a_ledger_without_a_sound_log_is_a_warning(
    settings: MakeSettings, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.sqlite.library.sqlite_version_info", (3, 40, 1))
    assert isinstance(refusal(servers.database, settings(database_url=sqlite_url)), Caution)


@pytest.mark.parametrize(
    "url", ["sqlite:////tmp/a.sqlite?bogus=1", "postgresql://u:secret@h/d?bogus=1", "postgresql://h/d?sslmod=require"]
)
def test_a_parameter_that_no_database_knows_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match="DIGITLINE_DATABASE_URL has a parameter") as refused:
        Database(url)
    assert url.rpartition("?")[2].partition("=")[0] in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////tmp/a.sqlite?timeout=5",
        "postgresql://h/d?sslmode=require&application_name=a",
        "postgresql:///d?host=/a",
    ],
)
def test_a_parameter_that_its_database_knows_is_taken(url: str) -> None:
    Database(url).close()


@pytest.mark.parametrize(
    ("opened", "url"),
    [
        (Inspector, "redis://:secret@h:1/0?bogus=1"),
        (make_app, "redis://:secret@h:1/0?bogus=1"),
        (Inspector, "redis+socket:///tmp/a.sock?bogus=1"),
    ],
)
def test_a_parameter_that_redis_does_not_know_is_named(
    settings: MakeSettings, opened: Callable[[Settings], object], url: str
) -> None:
    with pytest.raises(SettingsError, match="DIGITLINE_BROKER_URL has a parameter") as refused:
        opened(settings(broker_url=url))
    assert "'bogus'" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_what_redis_knows_of_certificates_is_taken(settings: MakeSettings) -> None:
    chosen = settings(broker_url="rediss://h:1/0?ssl_cert_reqs=required")
    Inspector(chosen).close()
    make_app(chosen).close()
