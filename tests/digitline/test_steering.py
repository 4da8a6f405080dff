"""The verbs that stop a job or the whole line, let it go on, move a job ahead, and give it a new chance."""

from __future__ import annotations

import json
import re

import pytest

from core.database import Database
from core.ledger import batches, jobs
from tests.core.examples import create_job, outcome, score, take
from tests.digitline.conftest import Digitline

pytestmark = pytest.mark.usefixtures("home")


def test_cancel_and_retry_say_what_became_of_the_job(ledger: Database, digitline: Digitline) -> None:
    create_job(ledger)
    assert digitline("cancel", "1").out == "Job 1 is cancelled; 3 images stay open.\n"
    assert json.loads(digitline("retry", "1", "--json").out)["state"] == "queued"
    score(ledger, jobs.get(ledger, 1))
    assert digitline("retry", "1").code == 1


def test_a_paused_job_says_why_and_is_resumed(ledger: Database, digitline: Digitline) -> None:
    job = create_job(ledger, [2, 2], max_rejected=0.25)
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    batches.finish(ledger, lease, outcome(lease, labels=[None, None]))
    assert "paused: 2 of its 4 images are rejected" in " ".join(digitline("status", "1").out.split())
    record = json.loads(digitline("resume", "1", "--max-rejected", "0.75", "--json").out)
    assert (record["state"], record["max_rejected"], record["error"]) == ("running", 0.75, None)
    again = digitline("resume", "1")
    assert again.code == 1
    assert "Job 1 is running, not paused" in again.err
    assert digitline("resume", "1", "--max-rejected", "5").code == 2


def test_a_job_is_paused_and_resumed_by_hand(ledger: Database, digitline: Digitline) -> None:
    create_job(ledger, max_rejected=0.25)
    said = digitline("pause", "1", "--reason", "new disks").out
    assert re.search(r"^Job 1 is paused by \S.*: new disks\. What is being scored ends\.$", said)
    (record,) = json.loads(digitline("status", "1", "--json").out)["jobs"]
    assert (record["state"], record["error"].endswith(": new disks")) == ("paused", True)
    assert "is paused already" in digitline("pause", "1").err
    record = json.loads(digitline("resume", "1", "--json").out)
    assert (record["state"], record["max_rejected"], record["error"]) == ("queued", 0.25, None)


def test_the_whole_line_is_paused_and_resumed(ledger: Database, digitline: Digitline) -> None:
    create_job(ledger)
    assert json.loads(digitline("status", "--json").out)["paused"] is None
    paused = json.loads(digitline("pause", "--all", "--reason", "new disks", "--json").out)["paused"]
    assert (paused["reason"], set(paused)) == ("new disks", {"since", "by", "reason"})
    assert json.loads(digitline("status", "--json").out)["paused"] == paused
    for shown in (digitline("status"), digitline("status", "1")):
        assert f"The line is paused by {paused['by']}: new disks" in " ".join(shown.out.split())
    again = digitline("pause", "--all")
    assert (again.code, "The line is paused by" in again.err) == (1, True)
    assert digitline("resume", "--all").out.startswith("The line goes on; it was paused by")
    assert "The line is not paused." in digitline("resume", "--all").err


@pytest.mark.parametrize("words", [["pause"], ["resume"], ["pause", "1", "--all"], ["resume", "1", "--all"]])
def test_a_job_or_the_whole_line_must_be_named(ledger: Database, digitline: Digitline, words: list[str]) -> None:
    create_job(ledger)
    ended = digitline(*words)
    assert (ended.code, "Name a job, or say --all." in ended.err) == (2, True)
    assert digitline("resume", "--all", "--max-rejected", "0.5").code == 2


@pytest.mark.parametrize("priority", ["7", "-7"])
def test_a_jobs_priority_is_changed_and_shown(ledger: Database, digitline: Digitline, priority: str) -> None:
    create_job(ledger)
    assert digitline("priority", "1", priority).out == f"Job 1 has priority {priority}.\n"
    (record,) = json.loads(digitline("status", "--json").out)["jobs"]
    assert record["priority"] == int(priority)
    assert re.search(rf"^priority +{priority} *$", digitline("status", "1").out, re.MULTILINE)
    assert [digitline("priority", "1", wrong).code for wrong in ("10", "-10", "high")] == [2, 2, 2]
    score(ledger, jobs.get(ledger, 1))
    assert "Job 1 has ended" in digitline("priority", "1", "0").err
