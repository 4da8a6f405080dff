"""What the systemd units promise; systemd looks at them itself where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import PREFIX, Settings, get_settings
from digitline.cli.lazy import module_of
from tests.deploy.units import FOLDER, ROOT, UNITS, Unit, environment, load, seconds

SERVICES: dict[str, Unit] = {path.stem.removeprefix("digitline-"): load(path) for path in FOLDER.glob("*.service")}
LONG_RUNNING = ("scheduler", "worker@", "web", "flower")
COMMAND = "/opt/digitline/.venv/bin/digitline"
HOME = "/srv/digitline"
ANALYZE = shutil.which("systemd-analyze")

#: What no service of ours may do without.
SEALED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelModules": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
}


def only(name: str, key: str, section: str = "Service") -> str:
    (value,) = SERVICES[name][section][key]
    return value


def words(name: str, key: str, section: str = "Unit") -> set[str]:
    return {word for value in SERVICES[name][section].get(key, []) for word in value.split()}


def test_the_line_is_complete() -> None:
    assert set(SERVICES) == {*LONG_RUNNING, "migrate"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_a_verb_that_exists(name: str) -> None:
    command, verb, *_ = only(name, "ExecStart").split()
    assert (command, verb) == (COMMAND, name.removesuffix("@"))
    assert module_of(verb) is not None


def test_each_worker_of_a_host_has_a_name_of_its_own() -> None:
    assert only("worker@", "ExecStart").endswith(" --name scorer-%i")


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_privileges_or_writes_but_where_it_must(name: str) -> None:
    service = SERVICES[name]["Service"]
    assert {key: service.get(key) for key in SEALED} == {key: [value] for key, value in SEALED.items()}
    assert service.get("User", ["root" if "DynamicUser" not in service else "nobody"])[0] not in {"root", "0"}
    writable = {"scheduler": [HOME], "web": [HOME], "migrate": [HOME]}.get(name, [])
    assert service.get("ReadWritePaths", []) == writable


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_names_real_settings_with_values_that_make_sense(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {key: value for key, value in environment(SERVICES[name]).items() if key.startswith(PREFIX)}
    assert set(named) <= {f"{PREFIX}{setting.upper()}" for setting in Settings.model_fields}
    for variable, value in named.items():
        monkeypatch.setenv(variable, value)
    get_settings.cache_clear()
    assert get_settings().home_folder == Path("/var/lib/digitline-flower" if name == "flower" else HOME)


@pytest.mark.parametrize("name", SERVICES)
def test_passwords_come_from_a_file_that_the_manager_alone_reads(name: str) -> None:
    assert "/etc/digitline/digitline.env" in SERVICES[name]["Service"]["EnvironmentFile"]
    assert not [key for key in environment(SERVICES[name]) if re.search("URL|AUTH|PASSWORD", key)]


def test_the_example_names_real_settings_and_no_secret() -> None:
    lines = [line for line in (FOLDER / "digitline.env.example").read_text().splitlines() if not line.startswith("#")]
    named = dict(line.split("=", 1) for line in lines if line)
    assert set(named) <= {f"{PREFIX}{setting.upper()}" for setting in Settings.model_fields}
    # What stands in the file goes before what a unit sets.
    assert not {"DIGITLINE_HOME", "DIGITLINE_GRACE_TIME"} & set(named)
    assert named["DIGITLINE_FLOWER_AUTH"] == ""
    assert all(":PASSWORD@" in value for key, value in named.items() if key.endswith("_URL"))


@pytest.mark.parametrize("name", ["scheduler", "worker@"])
def test_a_process_has_more_time_to_stop_than_its_grace_time(name: str) -> None:
    assert seconds(only(name, "TimeoutStopSec")) > float(environment(SERVICES[name])["DIGITLINE_GRACE_TIME"])


def test_a_stopped_worker_gives_its_batch_back() -> None:
    assert environment(SERVICES["worker@"])["REMAP_SIGTERM"] == "SIGQUIT"
    assert (only("worker@", "KillSignal"), only("worker@", "KillMode")) == ("SIGTERM", "mixed")


def test_a_child_that_took_all_the_memory_does_not_end_its_worker() -> None:
    assert only("worker@", "OOMPolicy") == "continue"


@pytest.mark.parametrize("name", SERVICES)
def test_what_fails_is_started_again_ever_more_slowly_and_never_given_up(name: str) -> None:
    assert only(name, "Restart") == "on-failure"
    assert seconds(only(name, "RestartSec")) >= 1
    assert int(only(name, "RestartSteps")) > 1
    assert only(name, "RestartMaxDelaySec") == "2min"
    assert only(name, "StartLimitIntervalSec", "Unit") == "0"


def test_flower_sees_neither_the_ledger_nor_the_images() -> None:
    assert only("flower", "UnsetEnvironment") == "DIGITLINE_DATABASE_URL"
    assert only("flower", "InaccessiblePaths") == f"-{HOME}"


def test_the_target_starts_and_stops_the_whole_line() -> None:
    wanted = set(load(FOLDER / "digitline.target")["Unit"]["Wants"][0].split())
    assert wanted == {
        "digitline-scheduler.service",
        "digitline-worker@1.service",
        "digitline-web.service",
        "digitline-flower.service",
    }
    for name in SERVICES:
        assert words(name, "PartOf") == {"digitline.target"}
    assert "digitline-migrate.service" in words("scheduler", "Wants")
    assert "digitline-migrate.service" in words("scheduler", "After") & words("worker@", "After")


def test_everything_that_a_unit_names_is_in_the_guide() -> None:
    guide = (ROOT / "docs" / "deployment.md").read_text()
    for named in ("/opt/digitline", HOME, "/etc/digitline/digitline.env", "digitline.target", "digitline-worker@2"):
        assert named in guide


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_line_of_a_unit_is_a_section_a_setting_or_a_comment(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [line for line in lines if line and not re.match(r"#|\[\w+\]$|[A-Z]\w+=", line)] == []


if ANALYZE is not None:  # elsewhere the tests above have to do

    def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
        for path in UNITS:
            (tmp_path / path.name).write_text(path.read_text().replace(COMMAND, f"{sys.executable} -m digitline"))
        units = [str(tmp_path / path.name) for path in UNITS]
        verify = [str(ANALYZE), "verify", "--man=no", *units]
        verified = subprocess.run(verify, capture_output=True, text=True, check=False, cwd=tmp_path)
        # Older than 254, it does not know how to start ever more slowly, and starts every 5 s.
        unknown = re.compile(r"Unknown key(?: name)? 'Restart(?:Steps|MaxDelaySec)'")
        told = [line for line in verified.stderr.splitlines() if "digitline" in line and not unknown.search(line)]
        assert (verified.returncode, told) == (0, [])
