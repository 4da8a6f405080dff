"""Jobs as scripts see them."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import digitline
from core.database import Database
from core.errors import (
    IllegalTransition,
    JobFailed,
    JobNotFound,
    JobPaused,
    QueueUnreachable,
    RevisionMismatch,
    SourceNotFound,
)
from core.ledger import batches, jobs, sweeps
from core.queues import Inspector
from core.settings import Settings, get_settings
from core.vocabulary import Accounts, JobState, Outcome, QueueName, Reason, Trigger, Verdict
from digitline.handle import ONLY, Only
from tests.core.examples import create_job, exhaust, outcome, prediction, register_model, rejection, score, take
from tests.digits import digit_folder

pytestmark = pytest.mark.usefixtures("home")

UNSCORED = (Verdict.BLANK, Verdict.LOW_CONTRAST, Verdict.SEVERAL)


def test_a_job_is_found_by_its_number_and_by_its_name(ledger: Database) -> None:
    first, second = create_job(ledger), create_job(ledger)
    assert digitline.job(first.id).id == digitline.job(str(first.id)).id == first.id
    assert digitline.job("scans").id == second.id
    assert [handle.id for handle in digitline.jobs()] == [second.id, first.id]


def test_a_job_that_is_not_there_is_not_found() -> None:
    with pytest.raises(JobNotFound, match="no job '7'"):
        digitline.job(7)


def test_a_ledger_that_is_not_there_is_named_and_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'none.sqlite'}")
    get_settings.cache_clear()
    with pytest.raises(RevisionMismatch, match=r"none\.sqlite"):
        digitline.jobs()
    assert not (tmp_path / "none.sqlite").exists()


def test_waiting_for_a_job_that_has_ended_returns_at_once(ledger: Database) -> None:
    job = create_job(ledger, [3], labelled=True)
    score(ledger, job, [[0, 9, None]])
    handle = digitline.job(job.id)
    assert handle.wait(timeout=0) is handle
    assert (handle.state, handle.accounts) == (JobState.DONE, Accounts(3, 2, 1, 0))
    assert handle.accuracy == 0.5


def test_waiting_sees_what_workers_do_meanwhile(ledger: Database, capsys: pytest.CaptureFixture[str]) -> None:
    job = create_job(ledger, [2, 2])
    worker = threading.Thread(target=score, args=(ledger, job))
    worker.start()
    handle = digitline.job(job.id).wait(timeout=30, progress=True, poll=0.01)
    worker.join()
    assert handle.accounts.scored == 4
    printed = capsys.readouterr()
    assert "scans" in printed.err
    assert "4/4" in printed.err
    assert printed.out == ""


def test_waiting_for_a_job_without_a_scored_image_fails_with_the_reason(ledger: Database) -> None:
    job = create_job(ledger, [1])
    score(ledger, job, [[None]])
    with pytest.raises(JobFailed, match="Job 1 'scans' failed: not one of its images could be scored"):
        digitline.job(job.id).wait()


def test_waiting_for_a_cancelled_job_fails(ledger: Database) -> None:
    handle = digitline.job(create_job(ledger).id).cancel()
    with pytest.raises(JobFailed, match="was cancelled"):
        handle.wait()


def test_waiting_for_a_job_that_pauses_says_why_and_a_resumed_one_goes_on(ledger: Database) -> None:
    job = create_job(ledger, [1, 2], max_rejected=0.1)
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    batches.finish(ledger, lease, outcome(lease, labels=[None]))
    handle = digitline.job(job.id)
    with pytest.raises(JobPaused, match="Job 1 'scans' is paused: 1 of its 3 images are rejected") as paused:
        handle.wait()
    assert "`digitline results 1 --only rejected`" in paused.value.mend
    assert "`digitline resume 1`" in paused.value.mend
    with pytest.raises(ValueError, match="from 0 to 1"):
        handle.resume(max_rejected=1.5)
    assert handle.resume().state is JobState.RUNNING


def test_a_script_pauses_a_job_and_gives_it_a_priority(ledger: Database) -> None:
    handle = digitline.job(create_job(ledger).id)
    assert handle.set_priority(-9).record.priority == -9
    with pytest.raises(ValueError, match="priority=10: it must be from -9 to 9"):
        handle.set_priority(10)
    assert handle.pause(reason="new disks", by="ada").record.error == "paused by ada: new disks"
    with pytest.raises(JobPaused, match="Job 1 'scans' is paused: paused by ada: new disks"):
        handle.wait()


def test_waiting_in_vain_times_out_and_says_how_far_it_got(ledger: Database) -> None:
    job = create_job(ledger, [3, 2])
    first = batches.of_job(ledger, job.id)[0]
    lease = take(ledger, first)
    batches.finish(ledger, lease, outcome(lease))
    with pytest.raises(TimeoutError, match="is running: 3 of 5 images"):
        digitline.job(job.id).wait(timeout=0.05, poll=0.01)


@pytest.mark.parametrize(
    ("only", "paths"),
    [
        (None, ["1/0.png", "1/1.png", "1/2.png"]),
        ("scored", ["1/0.png", "1/2.png"]),
        ("rejected", ["1/1.png"]),
        ("uncertain", ["1/0.png", "1/2.png"]),
        ("digit", []),
    ],
)
def test_results_can_be_narrowed_down(ledger: Database, only: Only | None, paths: list[str]) -> None:
    job = create_job(ledger, [3])
    score(ledger, job, [[0, None, 2]])
    assert [result.path for result in digitline.job(job.id).results(only)] == paths


def test_every_verdict_can_be_asked_for_and_is_counted(ledger: Database) -> None:
    job = create_job(ledger, [6])
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    scored = [prediction(lease, place, 1, verdict) for place, verdict in enumerate(Verdict) if verdict not in UNSCORED]
    refused = [rejection(lease, place, Reason(word)) for place, word in enumerate(Verdict) if word in UNSCORED]
    batches.finish(ledger, lease, Outcome(scored, refused, []))
    handle = digitline.job(job.id)
    for place, verdict in enumerate(Verdict):
        (result,) = handle.results(verdict.value)
        assert (result.path, result.verdict) == (f"1/{place}.png", verdict)
    assert handle.verdicts() == dict.fromkeys(Verdict, 1)
    assert set(ONLY) == {"scored", "rejected", *Verdict}


def test_narrowing_results_down_by_an_unknown_word_is_refused_at_once(ledger: Database) -> None:
    handle = digitline.job(create_job(ledger).id)
    with pytest.raises(ValueError, match="only='sure'"):
        handle.results("sure")  # type: ignore[arg-type]


def test_the_confusion_matrix_has_true_labels_as_rows_and_leaves_rejected_images_out(ledger: Database) -> None:
    job = create_job(ledger, [3, 2], labelled=True)
    score(ledger, job, [[0, 7, None], [7, 1]])
    handle = digitline.job(job.id)
    expected = np.zeros((10, 10), np.int64)
    expected[0, 0] = expected[1, 7] = expected[0, 7] = expected[1, 1] = 1
    matrix = handle.confusion_matrix()
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, expected)
    assert handle.rejected_by_class().tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_without_true_labels_there_is_no_matrix_and_no_error(ledger: Database) -> None:
    job = create_job(ledger)
    score(ledger, job)
    handle = digitline.job(job.id)
    assert not handle.confusion_matrix().any()
    assert handle.accuracy is None


def test_a_handle_shows_how_far_its_job_is(ledger: Database) -> None:
    assert repr(digitline.job(create_job(ledger).id)) == "<job 1 'scans': queued, 0 of 3 images>"


def test_a_job_that_has_ended_cannot_be_cancelled(ledger: Database) -> None:
    job = create_job(ledger)
    score(ledger, job)
    with pytest.raises(IllegalTransition):
        digitline.job(job.id).cancel()


def test_submitting_queues_a_message_for_every_batch(ledger: Database, online_home: Settings, tmp_path: Path) -> None:
    register_model(ledger)
    handle = digitline.submit(digit_folder(tmp_path / "scans", 5), labels="folders", queue="bulk")
    assert (handle.name, handle.state, handle.accounts.found) == ("scans", JobState.QUEUED, 5)
    assert (handle.record.triggered_by, handle.record.split) == (Trigger.SCRIPT, False)
    strict = digitline.submit(tmp_path / "scans", queue="express", split=True, max_rejected=0.25, priority=3).record
    assert (strict.split, strict.max_rejected, strict.priority) == (True, 0.25, 3)
    assert Inspector(online_home).depths() == {QueueName.EXPRESS: 1, QueueName.BULK: 1}


@pytest.mark.usefixtures("online_home")
def test_submitting_a_folder_that_is_not_there_names_it() -> None:
    with pytest.raises(SourceNotFound, match="nowhere"):
        digitline.submit("nowhere")


def test_submitting_without_redis_writes_nothing(ledger: Database, tmp_path: Path) -> None:
    register_model(ledger)
    with pytest.raises(QueueUnreachable):
        digitline.submit(digit_folder(tmp_path / "scans", 1))
    assert jobs.newest(ledger, 1) == []


@pytest.mark.parametrize("options", [{"labels": "guess"}, {"queue": "fast"}, {"priority": 77}])
def test_submitting_with_an_unknown_word_is_refused(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"guess|fast|77"):
        digitline.submit(tmp_path, **options)  # type: ignore[arg-type]


def test_retrying_a_quarantined_batch_sends_it_again(ledger: Database, online_home: Settings) -> None:
    job = create_job(ledger, [2, 3])
    for batch in batches.of_job(ledger, job.id):
        exhaust(ledger, batch)
    sweeps.quarantine_exhausted(ledger, 3)
    handle = digitline.job(job.id)
    assert handle.accounts.quarantined == 5
    assert {result.reason for result in handle.results("rejected")} == {Reason.QUARANTINED}
    assert handle.retry().accounts.open == 5
    assert Inspector(online_home).waiting() == {batch.id for batch in batches.of_job(ledger, job.id)}


def test_retrying_while_redis_is_away_leaves_the_sending_to_the_sweep(ledger: Database) -> None:
    handle = digitline.job(create_job(ledger).id).cancel().retry()
    assert handle.state is JobState.QUEUED
