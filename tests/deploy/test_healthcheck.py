"""The health checks tell a process that works from one that does not."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from core.queues import make_app
from deploy import healthcheck
from tests.conftest import MakeSettings


class _Page(BaseHTTPRequestHandler):
    """Answers as the server says."""

    def do_GET(self) -> None:
        assert self.path in ("/healthcheck", "/healthz")
        self.send_response(getattr(self.server, "status", 200))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _answering(status: int) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        server.status = status  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def _heartbeats(settings: MakeSettings, url: str, worker: str) -> Iterator[None]:
    """Celery's own heartbeats, as a worker of that name sends them."""
    ended = threading.Event()

    def beat() -> None:
        app = make_app(settings(broker_url=url))
        with app.connection_for_write() as connection, app.events.Dispatcher(connection, hostname=worker) as events:
            while not ended.wait(0.05):
                events.send("worker-heartbeat", freq=2)

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    ended.set()
    thread.join()


def _exit_code(monkeypatch: pytest.MonkeyPatch, check: str) -> str | int | None:
    monkeypatch.setattr(sys, "argv", ["healthcheck.py", check])
    try:
        healthcheck.main()
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize(("age", "healthy"), [(1.0, True), (3600.0, False)])
def test_a_scheduler_is_healthy_while_its_loop_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: MakeSettings, age: float, healthy: bool
) -> None:
    monkeypatch.setenv("DIGITLINE_HOME", str(tmp_path))
    heartbeat = settings(home=tmp_path).heartbeat_file
    heartbeat.touch()
    os.utime(heartbeat, (time.time() - age,) * 2)
    assert (_exit_code(monkeypatch, "scheduler") == 0) is healthy


def test_a_scheduler_that_never_turned_is_not_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_HOME", str(tmp_path))
    assert _exit_code(monkeypatch, "scheduler") != 0


@pytest.mark.parametrize(("host", "healthy"), [(socket.gethostname(), True), ("another-container", False)])
def test_a_worker_is_healthy_while_redis_gets_its_own_heartbeats(
    redis_url: str, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, host: str, healthy: bool
) -> None:
    monkeypatch.setenv("DIGITLINE_BROKER_URL", redis_url)
    monkeypatch.setattr(healthcheck, "_WORKER_SILENCE", 30.0 if healthy else 1.0)
    with _heartbeats(settings, redis_url, f"scorer@{host}"):
        assert (_exit_code(monkeypatch, "worker") == 0) is healthy


def test_a_worker_without_redis_is_not_healthy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_BROKER_URL", f"redis+socket://{tmp_path / 'nobody.sock'}")
    assert _exit_code(monkeypatch, "worker") != 0


@pytest.mark.parametrize("page", ["flower", "web"])
@pytest.mark.parametrize(("status", "healthy"), [(200, True), (500, False)])
def test_a_page_is_healthy_when_it_answers(
    monkeypatch: pytest.MonkeyPatch, page: str, status: int, healthy: bool
) -> None:
    with _answering(status) as port:
        monkeypatch.setenv(f"DIGITLINE_{page.upper()}_PORT", str(port))
        assert (_exit_code(monkeypatch, page) == 0) is healthy
    assert _exit_code(monkeypatch, page) != 0
