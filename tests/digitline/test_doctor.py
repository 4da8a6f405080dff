"""`digitline doctor` names what is not in order, and the mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from classifier.artifact import shipped_model
from core.settings import Settings, get_settings
from digitline.setup import prepare_ledger
from scheduler.inbox import prepare_folders
from tests.digitline.conftest import Digitline


def findings(printed: str) -> dict[str, dict[str, object]]:
    return {finding["what"]: finding for finding in json.loads(printed)}


def test_a_line_that_is_not_running_is_told_apart_from_a_ledger_that_is_in_order(
    home: Settings, digitline: Digitline
) -> None:
    prepare_ledger(home)
    prepare_folders(home)
    ended = digitline("doctor", "--json")
    assert ended.code == 1
    found = findings(ended.out)
    assert {what for what, finding in found.items() if not finding["in_order"]} == {"redis", "workers"}
    assert "digitline up" in str(found["redis"]["mend"])


def test_with_redis_only_the_workers_are_missed(online_home: Settings, digitline: Digitline) -> None:
    prepare_ledger(online_home)
    prepare_folders(online_home)
    found = findings(digitline("doctor", "--json").out)
    assert {what for what, finding in found.items() if not finding["in_order"]} == {"workers"}
    assert found["workers"]["finding"] == "No worker answers."


def test_a_ledger_without_a_model_is_found_out(home: Settings, digitline: Digitline) -> None:
    assert home.database
    found = findings(digitline("doctor", "--json").out)
    assert not found["model"]["in_order"]
    assert "production" in str(found["model"]["finding"])


def test_a_home_that_cannot_be_is_found_out_and_nothing_is_made(
    home: Settings, digitline: Digitline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert home
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIGITLINE_HOME", str(tmp_path / "file" / "home"))
    get_settings.cache_clear()
    ended = digitline("doctor", "--json")
    assert ended.code == 1
    found = findings(ended.out)
    assert not found["folders"]["in_order"]
    assert not found["disk"]["in_order"]
    assert "DIGITLINE_HOME" in str(found["folders"]["mend"])


def test_findings_are_a_table_for_people(home: Settings, digitline: Digitline) -> None:
    prepare_ledger(home)
    prepare_folders(home)
    ended = digitline("doctor")
    assert ended.code == 1
    assert str(home.inbox_folder) in ended.out
    assert shipped_model().name in ended.out


def test_a_database_that_was_never_migrated_is_found_out(home: Settings, digitline: Digitline) -> None:
    Path(home.database.removeprefix("sqlite:///")).unlink()
    found = findings(digitline("doctor", "--json").out)
    assert not found["database"]["in_order"]
    assert "digitline migrate" in str(found["database"]["mend"])
