"""`digitline doctor` names what is not in order, and the mend."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from classifier.artifact import shipped_model
from core import clock, tables
from core.database import Database
from core.ledger import batches, pauses
from core.settings import Settings, get_settings
from digitline.setup import prepare_ledger
from scheduler.inbox import prepare_folders
from tests.core.examples import create_batch, create_job, outcome, score, take
from tests.digitline.conftest import Digitline, findings


@pytest.fixture(autouse=True)
def _digits_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the runtime that loads in a moment."""
    monkeypatch.setenv("DIGITLINE_RUNTIME", "litert")


def test_a_line_that_is_not_running_is_told_apart_from_a_ledger_that_is_in_order(
    home: Settings, digitline: Digitline
) -> None:
    prepare_ledger(home)
    prepare_folders(home)
    ended = digitline("doctor", "--json")
    assert ended.code == 1
    found = findings(ended.out)
    assert {what for what, finding in found.items() if not finding["in_order"]} == {
        *("redis", "batches", "scheduler", "workers")
    }
    assert "digitline up" in str(found["redis"]["mend"])


def test_with_redis_only_the_workers_are_missed(online_home: Settings, digitline: Digitline) -> None:
    prepare_ledger(online_home)
    prepare_folders(online_home)
    found = findings(digitline("doctor", "--json").out)
    assert {what for what, finding in found.items() if not finding["in_order"]} == {"scheduler", "workers"}
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


def test_a_fault_that_keeps_several_parts_from_being_checked_is_told_once(home: Settings, digitline: Digitline) -> None:
    Path(home.database.removeprefix("sqlite:///")).unlink()
    out = digitline("doctor").out
    assert out.count("There is no database at") == 1
    assert out.count("see database") > 1


def test_a_database_that_was_never_migrated_is_found_out(home: Settings, digitline: Digitline) -> None:
    Path(home.database.removeprefix("sqlite:///")).unlink()
    found = findings(digitline("doctor", "--json").out)
    assert not found["database"]["in_order"]
    assert "digitline migrate" in str(found["database"]["mend"])


def test_what_nobody_looks_after_is_named_with_its_mend(online_home: Settings, digitline: Digitline) -> None:
    prepare_ledger(online_home)
    prepare_folders(online_home)
    with closing(Database(online_home.database)) as ledger:
        left = create_batch(ledger)
        take(ledger, left, lease_time=-1000.0)
        paused = create_job(ledger, [1, 1], max_rejected=0.0)
        lease = take(ledger, batches.of_job(ledger, paused.id)[0])
        batches.finish(ledger, lease, outcome(lease, labels=[None]))
    found = findings(digitline("doctor", "--json").out)
    assert found["accounts"]["in_order"]
    assert found["batches"]["finding"] == f"Batches that nobody looks after: 1 of job {left.job_id}."
    assert "digitline scheduler" in str(found["batches"]["mend"])
    assert found["jobs"]["finding"] == f"Jobs are paused: {paused.id}."
    assert "digitline resume" in str(found["jobs"]["mend"])


def test_a_line_that_is_paused_waits_for_a_person_and_its_batches_for_nobody_else(
    online_home: Settings, digitline: Digitline
) -> None:
    prepare_ledger(online_home)
    prepare_folders(online_home)
    with closing(Database(online_home.database)) as ledger:
        create_batch(ledger)
        with ledger.begin() as connection:
            connection.execute(update(tables.batches).values(sent_at=clock.seconds_from_now(-3600)))
        found = findings(digitline("doctor", "--json").out)
        assert (found["batches"]["in_order"], found["jobs"]["in_order"]) == (False, True)
        pauses.pause_line(ledger, by="ada", reason="new disks")
    found = findings(digitline("doctor", "--json").out)
    assert (found["batches"]["in_order"], found["jobs"]["in_order"]) == (True, False)
    assert found["jobs"]["finding"] == "The line is paused by ada: new disks."
    assert "digitline resume --all" in str(found["jobs"]["mend"])


def test_a_claimed_folder_without_a_job_and_counts_without_rows_are_named(
    online_home: Settings, digitline: Digitline, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_ledger(online_home)
    prepare_folders(online_home)
    (online_home.claimed_folder / "20261122-161236-5b0c1e").mkdir()
    with closing(Database(online_home.database)) as ledger:
        job = create_job(ledger, [2])
        score(ledger, job)
        with ledger.begin() as connection:
            connection.execute(delete(tables.predictions))
    assert findings(digitline("doctor", "--json").out)["claims"]["in_order"]
    monkeypatch.setattr("digitline.doctor.work._CLAIMED_LONG_AGO", -1.0)
    found = findings(digitline("doctor", "--json").out)
    assert "20261122-161236-5b0c1e" in str(found["claims"]["finding"])
    assert found["accounts"]["finding"] == f"Jobs whose counts are not those of their rows: {job.id}."
