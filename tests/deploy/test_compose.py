"""What docker-compose.yml promises, read from the file; no Docker is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from core.settings import PREFIX, Settings, get_settings
from deploy import healthcheck
from digitline.cli.lazy import module_of
from tests.deploy.compose import ROOT, seconds, services, variables

LOGIN = "given-user:given-password"
SERVICES = services(LINE_FOLDER="/srv/digitline", DIGITLINE_FLOWER_AUTH=LOGIN, DIGITLINE_WEB_AUTH=LOGIN)
LONG_RUNNING = {name: service for name, service in SERVICES.items() if service["restart"] != "no"}
MONITORING = ("prometheus", "grafana")
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("digitline:")}


def _of_ours(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service["environment"].items() if name.startswith(PREFIX)}


def test_the_line_is_complete() -> None:
    assert set(LONG_RUNNING) == {"redis", "postgres", "scheduler", "worker", "web", "flower", *MONITORING}
    assert set(SERVICES) - set(LONG_RUNNING) == {"migrate", "digitline"}


def test_prometheus_and_grafana_run_only_where_they_are_asked_for() -> None:
    assert [SERVICES[name]["profiles"] for name in MONITORING] == [["monitoring"]] * 2
    others = [service for name, service in SERVICES.items() if name not in MONITORING]
    assert not any(set(MONITORING) & set(service.get("depends_on", {})) for service in others)


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_by_a_tag(name: str) -> None:
    assert re.search(r":v?\d[\w.-]*$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_long_running_service_has_a_health_check_and_comes_back(name: str) -> None:
    service = LONG_RUNNING[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_privileges_or_writes_to_its_own_file_system(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert any(place.split(":")[0] == "/tmp" for place in service["tmpfs"])


@pytest.mark.parametrize("name", SERVICES)
def test_an_init_process_passes_signals_on_and_logs_are_bounded(name: str) -> None:
    assert SERVICES[name]["init"] is True
    assert "max-size" in SERVICES[name]["logging"]["options"]


def test_no_secret_has_a_default() -> None:
    secrets = {name: default for name, default in variables().items() if re.search("PASSWORD|AUTH|SECRET|TOKEN", name)}
    assert set(secrets) == {"REDIS_PASSWORD", "POSTGRES_PASSWORD", "DIGITLINE_FLOWER_AUTH", "DIGITLINE_WEB_AUTH"}
    assert set(secrets.values()) == {None}


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_on_a_command_line(name: str) -> None:
    service = SERVICES[name]
    words = [*service.get("command", []), *service.get("healthcheck", {}).get("test", [])]
    assert not [word for word in words if "given-" in word]


def test_the_example_names_every_variable_and_no_secret() -> None:
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    example = dict(line.split("=", 1) for line in lines)
    assert example == {name: default or "" for name, default in variables().items()}


@pytest.mark.parametrize("name", OURS)
def test_our_services_name_real_settings_with_values_that_make_sense(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = _of_ours(OURS[name])
    assert set(named) <= {f"{PREFIX}{setting.upper()}" for setting in Settings.model_fields}
    for variable, value in named.items():
        monkeypatch.setenv(variable, value)
    get_settings.cache_clear()
    assert not get_settings().embedded_queue


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_a_verb_that_exists(name: str) -> None:
    assert module_of(OURS[name]["command"][0]) is not None


@pytest.mark.parametrize("name", ["scheduler", "worker", "web", "flower"])
def test_our_services_are_checked_by_the_check_of_their_name(name: str) -> None:
    assert OURS[name]["healthcheck"]["test"] == ["CMD", "python", "/app/deploy/healthcheck.py", name]
    assert name in healthcheck.CHECKS


def test_inbox_claimed_done_and_failed_lie_below_one_mount() -> None:
    for name in ("scheduler", "worker", "web", "migrate", "digitline"):
        (mount,) = OURS[name]["volumes"]
        source, target = mount.split(":")
        settings = Settings(home=Path(_of_ours(OURS[name])["DIGITLINE_HOME"]))
        assert source == "/srv/digitline"
        assert all(folder.is_relative_to(target) for folder in settings.drop_folders)


@pytest.mark.parametrize("name", ["scheduler", "worker"])
def test_a_process_has_more_time_to_stop_than_its_grace_time(name: str) -> None:
    grace_time = float(_of_ours(OURS[name])["DIGITLINE_GRACE_TIME"])
    assert seconds(OURS[name]["stop_grace_period"]) > grace_time


def test_a_stopped_worker_gives_its_batch_back() -> None:
    assert OURS["worker"]["environment"]["REMAP_SIGTERM"] == "SIGQUIT"


def test_workers_can_be_scaled() -> None:
    worker = services(LINE_FOLDER="/srv/digitline", WORKERS="7")["worker"]
    assert "container_name" not in worker
    assert "ports" not in worker
    assert "hostname" not in worker
    assert worker["deploy"]["replicas"] == 7


def test_pages_alone_are_published_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "flower": ["127.0.0.1:5555:5555"],
        "web": ["127.0.0.1:8028:8028"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert "DIGITLINE_FLOWER_AUTH" in SERVICES["flower"]["environment"]
    assert "DIGITLINE_WEB_AUTH" in SERVICES["web"]["environment"]


def test_flower_sees_neither_the_ledger_nor_the_images() -> None:
    flower = SERVICES["flower"]
    assert "DIGITLINE_DATABASE_URL" not in flower["environment"]
    assert flower["volumes"] == ["flower:/state"]


def test_nothing_starts_before_what_it_needs() -> None:
    ready = {"migrate": "service_completed_successfully", "redis": "service_healthy"}
    for name in ("scheduler", "worker", "web"):
        needs = {needed: how["condition"] for needed, how in SERVICES[name]["depends_on"].items()}
        assert needs == ready
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
