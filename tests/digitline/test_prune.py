"""`digitline prune` as a person and a script use it: nothing goes unasked, and what is kept is said with its reason."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from core import clock, tables
from core.database import Database
from core.hooks import Hook
from core.ledger import corrections, jobs, notices
from core.settings import Settings, get_settings
from tests.core.examples import create_job, score
from tests.digitline.conftest import Digitline

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def old(ledger: Database) -> Database:
    """Three jobs of 100 days ago, of which one has a correction, and one of today."""
    for _ in range(3):
        score(ledger, create_job(ledger, [3]))
    corrections.record(ledger, 2, "1/0.png", 7, by="ada")
    with ledger.begin() as connection:
        connection.execute(update(tables.jobs).values(finished_at=clock.seconds_from_now(-100 * 86_400)))
    score(ledger, create_job(ledger, [1]))
    return ledger


def numbers(ledger: Database) -> list[int]:
    return [job.id for job in jobs.newest(ledger, 100)]


class Terminal(io.StringIO):
    """A keyboard."""

    def isatty(self) -> bool:
        return True


def test_a_dry_run_says_what_would_go_and_removes_nothing(digitline: Digitline, old: Database) -> None:
    ended = digitline("prune", "--older-than", "90d", "--dry-run")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "2 jobs of 6 images ended more than 90d ago and may go.",
        "Kept, 1 job as old: people corrected images of them, from which training learns; "
        "--with-corrections removes them too.",
    ]
    assert numbers(old) == [4, 3, 2, 1]


def test_what_is_old_goes_once_somebody_says_yes(digitline: Digitline, old: Database) -> None:
    ended = digitline("prune", "--older-than", "90d", "--yes")
    assert (ended.code, numbers(old)) == (0, [4, 2])
    assert "2 jobs of 6 images are removed; files stay. SQLite uses the room again" in ended.out
    assert "0 jobs of 0 images" in digitline("prune", "--older-than", "90d", "--yes").out


def test_corrections_go_where_that_is_said(digitline: Digitline, old: Database) -> None:
    assert digitline("prune", "--older-than", "12w", "--yes", "--with-corrections").code == 0
    assert numbers(old) == [4]


def test_it_asks_at_a_terminal_and_refuses_elsewhere(
    digitline: Digitline, old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    ended = digitline("prune", "--older-than", "90d")
    assert (ended.code, "nobody said --yes" in ended.err) == (1, True)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert digitline("prune", "--older-than", "90d").code == 1
    assert numbers(old) == [4, 3, 2, 1]
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert digitline("prune", "--older-than", "90d").code == 0
    assert numbers(old) == [4, 2]


def test_a_script_reads_what_went_and_what_is_kept(digitline: Digitline, old: Database) -> None:
    assert digitline("prune", "--older-than", "90d", "--json").code == 1
    dry = json.loads(digitline("prune", "--older-than", "90d", "--json", "--dry-run").out)
    assert dry == {
        "older_than_seconds": timedelta(days=90).total_seconds(),
        "old": {"jobs": [1, 3], "images": 6},
        "kept": {"corrected": [2], "scheduled": [], "unfiled": [], "untold": [], "newest": []},
        "removed": {"jobs": 0, "images": 0},
    }
    done = json.loads(digitline("prune", "--older-than", "90d", "--json", "--yes").out)
    assert (done["removed"], numbers(old)) == ({"jobs": 2, "images": 6}, [4, 2])


def test_the_length_is_the_settings_where_none_is_given(
    digitline: Digitline, old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert digitline("prune", "--yes").code == 2
    monkeypatch.setenv("DIGITLINE_RETENTION", "99d")
    get_settings.cache_clear()
    assert digitline("prune", "--yes").code == 0
    assert numbers(old) == [4, 2]


@pytest.mark.parametrize("length", ["90", "soon", "-1d", ""])
def test_what_is_no_length_is_a_usage_error_that_names_it(digitline: Digitline, length: str) -> None:
    ended = digitline("prune", "--older-than", length)
    assert ended.code == 2
    assert "is no length of time" in " ".join(ended.err.replace("│", " ").split())


def test_what_hooks_do_not_take_is_said_by_status_and_doctor(
    digitline: Digitline, ledger: Database, home: Settings
) -> None:
    assert "Notices" not in digitline("status").out
    notices.set_hooks(ledger, [hook := Hook("http://localhost:9/?token=s3cret")])
    score(ledger, create_job(ledger, [1]))
    notice = notices.claim_due(ledger, hook, 60)
    assert notice is not None
    notices.failed(ledger, notice, "it answered with HTTP 500", None)
    assert "Notices that hooks did not take: 1; `digitline doctor` says why." in digitline("status").out
    assert json.loads(digitline("status", "--json").out)["untold"] == 1
    (found,) = (one for one in json.loads(digitline("doctor", "--json").out) if one["what"] == "hooks")
    assert found["finding"] == (
        "Hooks did not take what they were told: http://localhost:9 1 (given up: it answered with HTTP 500)."
    )
    assert "DIGITLINE_WEBHOOK_URL" in found["mend"]
    assert home.hooks == ()
