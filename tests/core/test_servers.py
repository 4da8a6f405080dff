"""The servers that other tests rely on: they die and come back with their data, and nothing of them stays."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.database import Database
from tests.proxy import Proxy
from tests.servers import PostgresServer, RedisServer, Server, free_port
from tests.waiting import wait_until


def test_a_killed_redis_comes_back_with_its_data(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.config_set("appendfsync", "always")
        client.set("batch", 7)
    first = redis_server.pid
    redis_server.kill()
    with pytest.raises(redis.ConnectionError), redis_server.client() as client:
        client.ping()
    redis_server.start()
    assert redis_server.pid != first
    with redis_server.client() as client:
        assert client.get("batch") == b"7"


def test_a_redis_on_a_port_asks_for_its_password(redis_tcp_server: RedisServer) -> None:
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=redis_tcp_server.port, retry=once) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis.from_url(redis_tcp_server.url) as client:
        assert client.ping()


def test_a_killed_postgresql_comes_back_with_its_data(postgres_server: PostgresServer) -> None:
    database = Database(postgres_server.create_database("kept"))
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept AS SELECT 7 AS batch")
    database.close()
    postgres_server.kill()
    postgres_server.start()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT batch FROM kept").scalar_one() == 7
    database.close()


@pytest.mark.parametrize("make", [RedisServer, PostgresServer])
def test_a_closed_server_leaves_no_process_and_no_file(make: Callable[[], Server]) -> None:
    with make() as server:
        started = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        folder = server.folder
        assert len(os.fsencode(folder)) < 80
    gone, alive = psutil.wait_procs(started, timeout=30)
    assert (len(gone), alive) == (len(started), [])
    assert not folder.exists()


def test_a_server_that_cannot_start_says_why() -> None:
    server = RedisServer(maxmemory="nonsense")
    try:
        with pytest.raises(RuntimeError, match="maxmemory"):
            server.start(patience=1.0)
    finally:
        server.close()


def test_waiting_returns_what_came_true() -> None:
    answers = iter([0, None, "ready"])
    assert wait_until(lambda: next(answers), "it is ready", interval=0.0) == "ready"


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(AssertionError, match=r"Not within 0 s: the moon is blue\. The last value was 0\."):
        wait_until(lambda: 0, "the moon is blue", timeout=0.0)


def test_a_closed_proxy_listens_no_more() -> None:
    with Proxy(free_port()) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        assert client.recv(1) == b""  # nobody is behind it, and it waits for the next one by now
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port))
