"""Settings: what may be set, what is refused, and that no secret is ever repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import Settings, get_settings
from tests.conftest import MakeSettings
from tests.environment import variables

SECRET = "s3cret-of-nobody"


def test_the_defaults_need_no_variable() -> None:
    settings = get_settings()
    assert settings == Settings()
    assert settings.embedded_queue
    assert settings.home_folder == Path.cwd() / "digitline-home"
    assert settings.database == f"sqlite:///{settings.home_folder}/digitline.sqlite"


def test_a_variable_sets_its_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIGITLINE_HOME", str(tmp_path))
    monkeypatch.setenv("DIGITLINE_BATCH_SIZE", "17")
    monkeypatch.setenv("DIGITLINE_LOG_LEVEL", "debug")
    settings = get_settings()
    assert (settings.home, settings.batch_size, settings.log_level) == (tmp_path, 17, "DEBUG")
    assert settings.inbox_folder == tmp_path / "inbox"


@pytest.mark.parametrize(
    ("value", "folders"),
    [("/sets/a", ["/sets/a"]), ("/sets/a:my scans:", ["/sets/a", "my scans"]), ("", None)],
)
def test_evaluation_sets_are_listed_as_folders_in_a_path(
    monkeypatch: pytest.MonkeyPatch, value: str, folders: list[str] | None
) -> None:
    monkeypatch.setenv("DIGITLINE_EVALUATION_SETS", value.replace(":", os.pathsep))
    assert get_settings().evaluation_sets == (None if folders is None else tuple(map(Path, folders)))


def test_an_unknown_variable_is_refused_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_BROKER_ULR", f"redis://:{SECRET}@host")
    with pytest.raises(SettingsError, match="There is no setting DIGITLINE_BROKER_ULR") as caught:
        get_settings()
    assert caught.value.mend == "Did you mean DIGITLINE_BROKER_URL?"


def test_a_variable_like_no_other_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_XYZZY", "1")
    with pytest.raises(SettingsError, match="DIGITLINE_XYZZY") as caught:
        get_settings()
    for name in Settings.model_fields:
        assert f"DIGITLINE_{name.upper()}" in caught.value.mend


def test_variables_of_other_programs_are_no_concern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINER_BATCH_SIZE", "x")
    monkeypatch.setenv("BATCH_SIZE", "x")
    assert get_settings().batch_size == Settings().batch_size


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BATCH_SIZE", "many", "integer"),
        ("BATCH_SIZE", "0", "greater than or equal to 1"),
        ("BATCH_SIZE", "4097", "less than or equal to 4096"),
        ("CONCURRENCY", "0", "greater than or equal to 1"),
        ("CONCURRENCY", "two", "integer"),
        ("TARGET_ERROR", "0", "greater than 0"),
        ("TARGET_ERROR", "1", "less than 1"),
        ("CHALLENGER_SHARE", "10", "less than or equal to 1"),
        ("SCAN_INTERVAL", "0", "greater than 0"),
        ("FLOWER_PORT", "70000", "less than or equal to 65535"),
        ("LOG_LEVEL", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"DIGITLINE_{name}", value)
    with pytest.raises(SettingsError, match=f"^DIGITLINE_{name} makes no sense: ") as caught:
        get_settings()
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "FLOWER_AUTH"])
def test_a_secret_is_read_and_never_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"DIGITLINE_{name}", f"scheme://:{SECRET}@host")
    settings = get_settings()
    assert getattr(settings, name.lower()).get_secret_value() == f"scheme://:{SECRET}@host"
    assert SECRET not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


def test_an_error_beside_secrets_does_not_repeat_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BROKER_URL", "FLOWER_AUTH"):
        monkeypatch.setenv(f"DIGITLINE_{name}", SECRET)
    monkeypatch.setenv("DIGITLINE_BATCH_SIZE", "-1")
    with pytest.raises(SettingsError) as caught:
        get_settings()
    assert SECRET not in f"{caught.value} {caught.value.mend} {caught.value.__cause__}"


def test_settings_are_read_once_and_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = get_settings()
    monkeypatch.setenv("DIGITLINE_BATCH_SIZE", "3")
    assert get_settings() is settings
    with pytest.raises(Exception, match="frozen"):
        settings.batch_size = 3  # type: ignore[misc]


def test_an_empty_url_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BROKER_URL", "FLOWER_AUTH", "CONCURRENCY", "INBOX"):
        monkeypatch.setenv(f"DIGITLINE_{name}", "")
    assert get_settings() == Settings()
    assert get_settings().broker == Settings().broker


def test_a_socket_lies_in_the_home_where_its_path_is_short(settings: MakeSettings) -> None:
    chosen = settings(home=Path("/srv/digitline"))
    assert chosen.socket == Path("/srv/digitline/redis/redis.sock")
    assert chosen.broker == "redis+socket:///srv/digitline/redis/redis.sock"


@pytest.mark.parametrize("name", ["h" * 120, "ü" * 60], ids=["long", "long in bytes"])
def test_a_long_home_has_its_socket_elsewhere(settings: MakeSettings, tmp_path: Path, name: str) -> None:
    chosen, other = settings(home=tmp_path / name), settings(home=tmp_path / f"{name}2")
    assert len(os.fsencode(chosen.socket)) <= 103
    assert not chosen.socket.is_relative_to(tmp_path)
    assert chosen.socket != other.socket
    assert chosen.socket == settings(home=tmp_path / name).socket
    assert str(os.getuid()) in chosen.socket.parent.name


def test_every_folder_of_a_drop_lies_beside_the_inbox(settings: MakeSettings) -> None:
    chosen = settings(inbox=Path("/mnt/scanner/inbox"))
    assert chosen.claimed_folder == Path("/mnt/scanner/claimed")
    assert (chosen.done_folder, chosen.failed_folder) == (Path("/mnt/scanner/done"), Path("/mnt/scanner/failed"))
    assert chosen.logs_folder == chosen.home_folder / "logs"


def test_the_processes_are_those_asked_for_or_one_per_core(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(concurrency=7).processes == 7
    assert settings().processes == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert settings(concurrency=7).processes == 7
    assert settings().processes == os.cpu_count()


def test_a_subprocess_sees_the_settings_of_the_test(settings: MakeSettings, tmp_path: Path) -> None:
    chosen = settings(broker_url="redis://:p%40ss@host:1/0", batch_size=5, scan_interval=0.25, inbox=tmp_path / "in")
    program = (
        "from core.settings import get_settings; s = get_settings();"
        "print(repr((s.home, s.broker, s.batch_size, s.scan_interval, s.inbox, s.database_url)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], env=variables(chosen), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    expected = (chosen.home, chosen.broker, 5, 0.25, tmp_path / "in", None)
    assert said.stdout.strip() == repr(expected)
