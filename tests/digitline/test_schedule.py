"""`digitline schedule` as a person and a script use it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.database import Database
from core.ledger import jobs
from core.settings import Settings, get_settings
from tests.core.examples import register_model
from tests.digitline.conftest import Digitline, Ended
from tests.digits import digit_folder

pytestmark = pytest.mark.usefixtures("online_home")


@pytest.fixture
def scans(ledger: Database, tmp_path: Path) -> Path:
    """A folder of three digits, and a model to score them."""
    register_model(ledger)
    return digit_folder(tmp_path / "scans", 3)


def add(digitline: Digitline, folder: Path, *more: str) -> Ended:
    return digitline("schedule", "add", "nightly", str(folder), "--cron", "0 2 * * *", *more)


def listed(digitline: Digitline) -> list[dict[str, object]]:
    found = json.loads(digitline("schedule", "list", "--json").out)["schedules"]
    assert isinstance(found, list)
    return found


def test_a_schedule_is_added_listed_run_and_removed(digitline: Digitline, scans: Path, ledger: Database) -> None:
    assert digitline("schedule", "list").out == "No schedules yet.\n"
    added = add(digitline, scans, "--timezone", "Europe/Berlin")
    assert (added.code, added.out.startswith("Schedule 'nightly' is due at ")) == (0, True)
    assert digitline("schedule", "run", "nightly").out == (
        "Job 1: 3 of 3 files are new and queued. See `digitline status 1`.\n"
    )
    assert jobs.get(ledger, 1).schedule == "nightly"
    (schedule,) = listed(digitline)
    assert (schedule["found"], schedule["submitted"], schedule["job_id"], schedule["error"]) == (3, 3, 1, None)
    assert (schedule["folder"], schedule["timezone"], schedule["missed"]) == (str(scans), "Europe/Berlin", "run-once")
    assert digitline("schedule", "remove", "nightly").out == "Schedule 'nightly' is removed; its jobs stay.\n"
    assert listed(digitline) == []


def test_a_job_says_which_schedule_it_comes_from(digitline: Digitline, scans: Path) -> None:
    add(digitline, scans)
    run = json.loads(digitline("schedule", "run", "nightly", "--json").out)
    assert (run["name"], run["submitted"], run["job"]["schedule"]) == ("nightly", 3, "nightly")
    (job,) = json.loads(digitline("status", "1", "--json").out)["jobs"]
    assert (job["schedule"], job["triggered_by"]) == ("nightly", "schedule")
    assert "by schedule nightly" in digitline("status", "1").out


def test_a_run_that_finds_nothing_new_says_so(digitline: Digitline, scans: Path) -> None:
    add(digitline, scans)
    digitline("schedule", "run", "nightly")
    ended = digitline("schedule", "run", "nightly")
    assert (ended.code, ended.out) == (0, f"Nothing is new among 3 files of {scans}.\n")
    assert json.loads(digitline("schedule", "run", "nightly", "--json").out)["job"] is None


def test_the_options_are_kept(digitline: Digitline, scans: Path) -> None:
    options = ("--missed", "skip", "--labels", "none", "--queue", "bulk", "--split", "--max-rejected", "0.5")
    made = json.loads(add(digitline, scans, *options, "--json").out)
    assert [made[key] for key in ("missed", "labels", "queue", "split", "max_rejected")] == [
        "skip",
        "none",
        "bulk",
        True,
        0.5,
    ]
    assert made["next_at"].endswith("T02:00:00+00:00")


def test_a_schedule_is_changed_in_place_and_remembers(digitline: Digitline, scans: Path) -> None:
    add(digitline, scans)
    digitline("schedule", "run", "nightly")
    refused = add(digitline, scans, "--timezone", "Asia/Tokyo")
    assert refused.code == 1
    assert "There is a schedule 'nightly' already." in refused.err
    assert "--replace" in refused.err
    changed = json.loads(add(digitline, scans, "--timezone", "Asia/Tokyo", "--replace", "--json").out)
    assert changed["timezone"] == "Asia/Tokyo"
    assert digitline("schedule", "run", "nightly").out.startswith("Nothing is new")


def test_the_priority_goes_to_the_jobs_and_stays_where_a_replacement_names_no_other(
    digitline: Digitline, scans: Path, ledger: Database
) -> None:
    def priority(*options: str) -> object:
        return json.loads(add(digitline, scans, *options, "--json").out)["priority"]

    assert priority("--priority", "-3") == -3
    digitline("schedule", "run", "nightly")
    assert jobs.get(ledger, 1).priority == -3
    assert priority("--replace", "--timezone", "Asia/Tokyo") == -3
    assert listed(digitline)[0]["priority"] == -3
    assert priority("--replace", "--priority", "5") == 5
    assert priority("--replace", "--priority", "0") == 0
    assert add(digitline, scans, "--replace", "--priority", "10").code == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--cron", "99 2 * * *"), "The cron expression '99 2 * * *' makes no sense: its minute. Give minute, hour"),
        (("--cron", "0 0 30 2 *"), "The cron expression '0 0 30 2 *' makes no sense: its day-of-month."),
        (("--timezone", "Mars"), "There is no time zone 'Mars'. Give a name such as UTC"),
    ],
)
def test_what_makes_no_sense_is_one_line_that_names_it(
    digitline: Digitline, scans: Path, options: tuple[str, ...], told: str
) -> None:
    ended = add(digitline, scans, *options)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith(f"digitline: {told}")
    assert listed(digitline) == []


def test_a_wrong_name_or_folder_is_named(digitline: Digitline, scans: Path) -> None:
    named = digitline("schedule", "add", "every night", str(scans), "--cron", "0 2 * * *")
    assert (named.code, "'every night' is no name for a schedule." in named.err) == (1, True)
    lost = add(digitline, scans / "nowhere")
    assert (lost.code, lost.err) == (1, f"digitline: There is no folder {scans / 'nowhere'}. Check the path.\n")
    for verb in ("run", "remove"):
        ended = digitline("schedule", verb, "weekly")
        assert (ended.code, ended.err) == (
            1,
            "digitline: There is no schedule 'weekly'. `digitline schedule list` lists them.\n",
        )


def test_what_is_left_out_or_unknown_is_a_usage_error(digitline: Digitline, scans: Path) -> None:
    assert digitline("schedule", "add", "nightly", str(scans)).code == 2
    assert add(digitline, scans, "--missed", "twice").code == 2
    assert add(digitline, scans, "--max-rejected", "2").code == 2


def test_the_list_shows_why_a_run_failed(digitline: Digitline, scans: Path) -> None:
    add(digitline, scans)
    scans.rename(scans.with_name("away"))
    ended = digitline("schedule", "run", "nightly")
    assert (ended.code, "There is no folder" in ended.err) == (1, True)
    assert "There is no folder" in str(listed(digitline)[0]["error"])
    assert "There is no folder" in digitline("schedule", "list").out


def test_a_folder_of_any_bytes_and_a_relative_one_are_kept_as_they_are(
    digitline: Digitline, scans: Path, home: Settings
) -> None:
    strange = scans.with_name(os.fsdecode(b"caf\xe9"))
    scans.rename(strange)
    assert home.home.is_absolute()
    assert add(digitline, Path(strange.name)).code == 0
    assert listed(digitline)[0]["folder"] == str(strange)
    assert digitline("schedule", "run", "nightly").out.startswith("Job 1: 3 of 3")
    assert r"caf\udce9" in digitline("schedule", "list").out


def test_without_redis_a_run_fails_and_a_schedule_is_added_all_the_same(
    digitline: Digitline, scans: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIGITLINE_BROKER_URL", f"redis+socket://{tmp_path}/none")
    get_settings.cache_clear()
    assert add(digitline, scans).code == 0
    ended = digitline("schedule", "run", "nightly")
    assert (ended.code, "Redis does not answer" in ended.err) == (1, True)
    assert listed(digitline)[0]["ran_at"] is None
