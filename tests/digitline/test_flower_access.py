"""Who gets at Flower: addresses, passwords, and pages of strangers in the same browser."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import SettingsError
from core.settings import Settings, get_settings
from digitline import flower as flower_process
from tests.digitline.flowers import PATIENCE, running
from tests.processes import LineProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)


def test_without_a_password_no_other_page_reads_it_and_nobody_stops_a_worker(tmp_path: Path) -> None:
    with running(tmp_path) as (flower, _):
        answer = flower.ask("/api/tasks", Origin="https://elsewhere.example")
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        rebound = flower.ask("/api/tasks", Host="elsewhere.example:5555")
        assert (rebound.status, "ask for localhost" in rebound.text) == (421, True)
        for host in ("localhost:1", "127.0.0.1", "[::1]:5555"):
            assert flower.ask("/tasks", Host=host).status == 200
        assert flower.ask("/api/worker/shutdown/scorer@one", method="POST").status == 403


def test_with_a_password_no_other_page_can_use_what_a_browser_remembers(tmp_path: Path) -> None:
    login = "ada:secret"
    with running(tmp_path, flower_auth=SecretStr(login)) as (flower, _):
        assert flower.ask("/tasks").status == 401
        assert flower.ask("/tasks", login="ada:other").status == 401
        assert flower.ask("/metrics").status == 401
        assert flower.ask("/tasks", login=login, Host="flower.example").status == 200
        shut_down = "/api/worker/shutdown/scorer@one"
        for told in (
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Origin": "https://a.example"},
        ):
            refused = flower.ask(shut_down, method="POST", login=login, **told)
            assert (refused.status, "forbidden" in refused.text) == (403, True)
        asked = flower.ask(shut_down, method="POST", login=login, Sec_Fetch_Site="same-origin")
        assert (asked.status, asked.text) == (404, "Unknown worker 'scorer@one'")
        assert "secret" not in flower.log


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "fe80::1", "flower.example", "*"])
def test_an_address_that_others_reach_needs_a_password(address: str) -> None:
    with pytest.raises(SettingsError, match="without a password"):
        flower_process.check(Settings(flower_address=address))
    flower_process.check(Settings(flower_address=address, flower_auth=SecretStr("ada:secret")))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_an_address_of_this_machine_alone_needs_none(address: str) -> None:
    flower_process.check(Settings(flower_address=address))


def test_a_password_that_flower_cannot_compare_is_refused() -> None:
    with pytest.raises(SettingsError, match="ASCII") as refused:
        flower_process.check(Settings(flower_auth=SecretStr("ada:pässword")))
    assert "pässword" not in str(refused.value)


def test_a_port_that_is_taken_is_named_with_what_to_set(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(home=tmp_path, flower_port=port)
        process = LineProcess(settings, "flower", log=tmp_path / "flower.log")
        process.says(f"Flower cannot be served on 127.0.0.1, port {port}: Address already in use.")
        wait_until(lambda: process.exit_code == 1, "it ends with 1", PATIENCE)
    assert "Set DIGITLINE_FLOWER_PORT" in process.output
    assert "Traceback" not in process.output


@pytest.mark.parametrize("prefix", ["flower", "/flower/", "//evil", "/a b", "/(.*)", "/.."])
def test_a_prefix_is_a_path(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_FLOWER_URL_PREFIX", prefix)
    with pytest.raises(SettingsError, match="DIGITLINE_FLOWER_URL_PREFIX makes no sense"):
        get_settings()
