"""The command line: every verb, its JSON, its exit code, and one plain line for what goes wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import types
from importlib.metadata import version
from pathlib import Path

import pytest

from core.database import Database
from core.ledger import batches, jobs, sweeps
from core.settings import Settings, get_settings
from core.vocabulary import Verdict
from digitline.cli.lazy import VERBS, load
from tests.core.examples import create_batch, create_job, exhaust, register_model, score, take
from tests.digitline.conftest import Digitline
from tests.digits import digit_folder
from tests.environment import variables
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("home")

_MODULES = sorted({module for modules in VERBS.values() for module in modules})


@pytest.mark.parametrize("module", _MODULES)
def test_the_list_of_verbs_is_what_the_modules_have(module: str) -> None:
    listed = {verb for modules in VERBS.values() for verb in modules.get(module, ())}
    assert set(load(module)) == listed


@pytest.mark.parametrize(
    "verb", sorted({verb for modules in VERBS.values() for verbs in modules.values() for verb in verbs})
)
def test_every_verb_explains_itself(digitline: Digitline, verb: str) -> None:
    shown = digitline(verb, "--help")
    assert shown.code == 0
    assert f"Usage: digitline {verb}" in shown.out


def test_a_verb_that_is_not_there_is_a_usage_error_with_a_suggestion(digitline: Digitline) -> None:
    ended = digitline("sumbit")
    assert ended.code == 2
    assert "'submit'" in ended.err


def test_an_error_is_one_line_that_says_what_to_do(digitline: Digitline) -> None:
    ended = digitline("status", "7")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "digitline: There is no job '7'. `digitline status` lists the jobs.\n"


def test_an_unknown_setting_is_named(digitline: Digitline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_HOMME", "x")
    get_settings.cache_clear()
    ended = digitline("status")
    assert (ended.code, ended.err) == (
        1,
        "digitline: There is no setting DIGITLINE_HOMME. Did you mean DIGITLINE_HOME?\n",
    )


def test_a_place_that_may_not_be_written_to_is_named(digitline: Digitline, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where root may not write either.
    monkeypatch.setenv("DIGITLINE_HOME", "/sys/digitline")
    get_settings.cache_clear()
    ended = digitline("migrate")
    assert ended.code == 1
    assert ended.err.startswith("digitline: /sys/digitline may not be used.")


def test_the_version_is_told(digitline: Digitline) -> None:
    assert digitline("--version").out == f"digitline {version('digitline')}\n"


def test_a_bug_shows_its_traceback(digitline: Digitline, monkeypatch: pytest.MonkeyPatch) -> None:
    def cancel() -> None:
        raise ZeroDivisionError("of our own making")

    broken = types.ModuleType("digitline.cli.jobs")
    broken.register = lambda app: app.command()(cancel)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "digitline.cli.jobs", broken)
    ended = digitline("cancel")
    assert ended.code == 70
    assert "Traceback" in ended.err
    assert "ZeroDivisionError: of our own making" in ended.err


def test_an_interrupt_ends_with_130(ledger: Database, home: Settings) -> None:
    create_job(ledger)
    watching = subprocess.Popen(
        [sys.executable, "-m", "digitline", "status", "--watch", "--json"],
        env=variables(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["jobs"][0]["id"] == 1
    watching.send_signal(signal.SIGINT)
    _, errors = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert "Traceback" not in errors


def test_status_lists_jobs_newest_first_though_redis_is_away(ledger: Database, digitline: Digitline) -> None:
    score(ledger, create_job(ledger, [3], labelled=True), [[0, 1, None]])
    create_job(ledger, name="later")
    shown = json.loads(digitline("status", "--json").out)
    assert [job["name"] for job in shown["jobs"]] == ["later", "scans"]
    assert shown["jobs"][1]["state"] == "done"
    assert shown["jobs"][1]["accounts"] == {"found": 3, "scored": 2, "rejected": 1, "quarantined": 0, "open": 0}
    assert (shown["queues"], shown["workers"]) == (None, None)
    assert "Redis does not answer" in shown["problem"]
    table = digitline("status")
    assert table.code == 0
    assert table.out.index("later") < table.out.index("scans")
    assert "Queues and workers are not known" in table.out


@pytest.mark.usefixtures("online_home")
def test_status_shows_queues_and_workers_where_redis_answers(ledger: Database, digitline: Digitline) -> None:
    register_model(ledger)
    shown = json.loads(digitline("status", "--json").out)
    none = {"express": 0, "bulk": 0}
    nothing = {"jobs": [], "paused": None, "waiting": none, "no_room": [], "untold": 0}
    assert shown == {**nothing, "queues": none, "workers": []}
    assert "none is online" in digitline("status").out
    create_job(ledger, [1, 1])
    shown = json.loads(digitline("status", "--json").out)
    assert (shown["waiting"], shown["queues"]) == ({"express": 2, "bulk": 0}, none)
    assert re.search(r"^batches waiting +express 2, bulk 0 *$", digitline("status").out, re.MULTILINE)


def test_the_status_of_one_job_counts_rejections_by_reason(ledger: Database, digitline: Digitline) -> None:
    score(ledger, create_job(ledger, [3], labelled=True), [[0, 9, None]])
    (job,) = json.loads(digitline("status", "scans", "--json").out)["jobs"]
    assert job["rejections"] == {"truncated": 1}
    assert job["verdicts"] == {**dict.fromkeys(Verdict, 0), "uncertain": 2}
    assert job["accuracy"] == 0.5
    plain = digitline("status", "1").out
    assert re.search(r"^verdict +images\nuncertain +2$", plain, re.MULTILINE)
    assert "3 found, 2 scored, 1 rejected, 0 quarantined, 0 open" in plain
    assert "50.00% (1 of 2 labelled)" in plain


def test_watching_a_job_ends_with_it(ledger: Database, digitline: Digitline) -> None:
    score(ledger, create_job(ledger))
    assert len(digitline("status", "1", "--watch", "--json").out.splitlines()) == 1


def test_a_hostile_name_does_not_break_the_table(ledger: Database, digitline: Digitline) -> None:
    create_job(ledger, name="two\nlines \x1b[31m [red]x[/] \udcff")
    out = digitline("status").out
    assert r"two\nlines \x1b[31m [red]x[/] \udcff" in out
    assert "\x1b" not in out


def test_a_long_name_is_not_cut_where_there_is_no_terminal(ledger: Database, digitline: Digitline) -> None:
    create_job(ledger, name="x" * 500)
    assert "x" * 500 in digitline("status").out


@pytest.mark.usefixtures("online_home")
def test_submit_prints_the_job_and_queues_it(ledger: Database, digitline: Digitline, tmp_path: Path) -> None:
    register_model(ledger)
    digit_folder(tmp_path / "scans", 3)
    job = json.loads(digitline("submit", str(tmp_path / "scans"), "--name", "mine", "--json").out)
    assert (job["name"], job["state"], job["triggered_by"], job["accounts"]["found"]) == ("mine", "queued", "cli", 3)
    assert digitline("submit", str(tmp_path / "scans")).out.startswith("Job 2: 3 images queued.")
    assert [
        job["split"],
        json.loads(digitline("submit", str(tmp_path / "scans"), "--split", "--json").out)["split"],
    ] == [
        False,
        True,
    ]


def test_submitting_without_redis_fails_and_says_what_to_do(
    ledger: Database, digitline: Digitline, tmp_path: Path
) -> None:
    register_model(ledger)
    ended = digitline("submit", str(digit_folder(tmp_path / "scans", 1)))
    assert ended.code == 1
    assert "digitline up" in ended.err


@pytest.mark.usefixtures("online_home")
def test_who_stops_waiting_for_a_job_learns_that_it_goes_on(
    ledger: Database, home: Settings, tmp_path: Path, redis_url: str
) -> None:
    register_model(ledger)
    waiting = subprocess.Popen(
        [sys.executable, "-m", "digitline", "submit", str(digit_folder(tmp_path / "scans", 3)), "--wait"],
        env=variables(home) | {"DIGITLINE_BROKER_URL": redis_url},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr is not None
    assert waiting.stderr.readline().startswith("Job 1: 3 images queued.")
    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    assert "Job 1 goes on. `digitline status 1` shows it, `digitline cancel 1` stops it." in told


@pytest.mark.usefixtures("online_home")
@pytest.mark.parametrize(("labels", "code"), [([[0, 1, 2]], 0), ([[None, None, None]], 1)])
def test_submit_wait_ends_as_the_job_does(
    ledger: Database, home: Settings, tmp_path: Path, labels: list[list[int | None]], code: int, redis_url: str
) -> None:
    register_model(ledger)
    environment = variables(home) | {"DIGITLINE_BROKER_URL": redis_url}
    waiting = subprocess.Popen(
        [sys.executable, "-m", "digitline", "submit", str(digit_folder(tmp_path / "scans", 3)), "--wait", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: jobs.newest(ledger, 1), "the job is submitted", 60)
    score(ledger, jobs.get(ledger, 1), labels)
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == code
    assert json.loads(out)["state"] == ("done" if code == 0 else "failed")


def test_status_says_what_a_job_has_trouble_with(ledger: Database, digitline: Digitline) -> None:
    batch = create_batch(ledger)
    batches.release(ledger, take(ledger, batch), "There is no folder /scans on ada.", blameless=True)
    assert "There is no folder /scans on ada." in digitline("status", "1").out
    (record,) = json.loads(digitline("status", "1", "--json").out)["jobs"]
    assert record["trouble"] == "There is no folder /scans on ada."


def test_results_come_as_a_table_as_csv_and_as_json(ledger: Database, digitline: Digitline, tmp_path: Path) -> None:
    score(ledger, create_job(ledger, [2]), [[7, None]])
    assert digitline("results", "1").out.splitlines()[1].split() == ["scored", "7", "0.7500", "uncertain", "1/0.png"]
    (line,) = digitline("results", "scans", "--format", "json", "--only", "rejected").out.splitlines()
    assert json.loads(line)["reason"] == "truncated"
    assert digitline("results", "1", "--format", "csv", "--output", "r.csv").out == ""
    assert (tmp_path / "r.csv").read_text().splitlines()[1] == "1/0.png,scored,7,0.75,uncertain,,,small,,"


def test_results_are_asked_for_by_verdict_and_give_a_string_with_its_digits(
    ledger: Database, digitline: Digitline
) -> None:
    score(ledger, create_job(ledger, [2]), [["47", None]])
    (line,) = digitline("results", "1", "--format", "json", "--only", "uncertain").out.splitlines()
    string = json.loads(line)
    assert (string["label"], string["verdict"]) == ("47", "uncertain")
    assert string["digits"] == [{"label": 4, "confidence": 0.875}, {"label": 7, "confidence": 0.875}]
    assert digitline("results", "1", "--format", "json", "--only", "not_a_digit").out == ""
    assert digitline("results", "1", "--only", "sure").code == 2


def test_parquet_needs_a_file(ledger: Database, digitline: Digitline, tmp_path: Path) -> None:
    score(ledger, create_job(ledger))
    assert digitline("results", "1", "--format", "parquet").code == 2
    assert digitline("results", "1", "--format", "parquet", "--output", "r.parquet").code == 0
    assert (tmp_path / "r.parquet").read_bytes().startswith(b"PAR1")


def test_a_quarantined_batch_is_in_the_results(ledger: Database, digitline: Digitline) -> None:
    job = create_job(ledger, [2])
    exhaust(ledger, batches.of_job(ledger, job.id)[0])
    sweeps.quarantine_exhausted(ledger, 3)
    lines = digitline("results", "1", "--format", "json").out.splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["quarantined", "quarantined"]


def test_report_writes_a_page_named_after_the_job(ledger: Database, digitline: Digitline, tmp_path: Path) -> None:
    score(ledger, create_job(ledger))
    assert digitline("report", "scans").out == "Report of job 1: report-1.html\n"
    assert (tmp_path / "report-1.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_every_verb_gets_a_panel_of_the_help(digitline: Digitline) -> None:
    out = digitline("--help").out
    assert all(f"─ {panel} ─" in out for panel in VERBS)
