"""`digitline web` as a process: it says where it is, answers, and ends when it is told to, its children with it."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

from core.settings import Settings, get_settings
from digitline.web import address
from tests.digitline.conftest import Digitline
from tests.processes import running
from tests.servers import free_port


def test_it_serves_until_it_is_told_to_stop(home: Settings, tmp_path: Path) -> None:
    settings = Settings(home=home.home, database_url=home.database_url, web_port=free_port())
    with running(settings, "web", log=tmp_path / "web.log") as process:
        process.says("the web page is at")
        assert address.url("127.0.0.1", settings.web_port) in process.output
        with httpx.Client(trust_env=False) as client:
            url = address.url("127.0.0.1", settings.web_port)
            assert client.get(f"{url}/healthz").text == "ok\n"
            assert "There is no job yet" in client.get(f"{url}/jobs").text
        assert process.stop(signal.SIGTERM) in (0, -signal.SIGTERM)
        assert "Traceback" not in process.output


def test_a_line_without_a_ledger_is_said(tmp_path: Path, digitline: Digitline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_HOME", str(tmp_path / "nowhere"))
    get_settings.cache_clear()
    ended = digitline("web", "--port", "0")
    assert ended.code == 1
    assert "There is no database at" in ended.err
    assert "digitline migrate" in ended.err


@pytest.mark.parametrize(
    ("listens", "opened"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_the_address_that_is_printed_can_be_opened(listens: str, opened: str) -> None:
    assert address.url(listens, 80) == opened
