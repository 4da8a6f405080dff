"""One batch, from its claim to its committed rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from classifier.artifact import read_card, shipped_model
from classifier.preprocess import prepare
from core.errors import LedgerUnreachable, SourceNotFound
from core.ledger import batches, jobs, results, sweeps
from core.vocabulary import BatchState, JobState, Lease, Reason, Verdict
from tests.digits import digit_folder, loose_digits
from tests.oracle import check_confusion
from tests.worker.conftest import BATCH_SIZE, job_of, nobody, score_all
from worker.journey import Journey

#: Name of the model that the tests score with.
SHIPPED = read_card(shipped_model()).name


def test_labelled_digits_are_scored_and_counted(journey: Journey, tmp_path: Path) -> None:
    job = job_of(journey, digit_folder(tmp_path / "digits", 70))
    said = score_all(journey, job)
    assert [line.partition(",")[0] for line in said] == ["32 scored", "32 scored", "6 scored"]
    ended = jobs.get(journey.database, job.id)
    assert ended.state is JobState.DONE
    assert (ended.accounts.scored, ended.accounts.rejected, ended.labelled) == (70, 0, 70)
    assert ended.correct >= 69
    found = list(results.of_job(journey.database, job.id))
    assert [result.path for result in found] == sorted(result.path for result in found)
    assert all(0 < result.margin <= result.confidence <= 1 for result in found)
    check_confusion(journey.database, job.id)


def test_the_summed_confusion_matrix_is_what_scikit_learn_counts(journey: Journey, tmp_path: Path) -> None:
    job = job_of(journey, digit_folder(tmp_path / "digits", 100))
    score_all(journey, job)
    found = list(results.of_job(journey.database, job.id))
    expected = confusion_matrix(
        [result.true_label for result in found], [result.label for result in found], labels=range(10)
    )
    counted = np.zeros((10, 10), np.int64)
    for cell in results.job_confusion(journey.database, job.id):
        counted[cell.actual, cell.predicted] = cell.count
    np.testing.assert_array_equal(counted, expected)


def test_the_hash_that_is_kept_is_that_of_the_bytes_that_were_scored(journey: Journey, tmp_path: Path) -> None:
    folder = digit_folder(tmp_path / "digits", 3)
    job = job_of(journey, folder)
    score_all(journey, job)
    for result in results.of_job(journey.database, job.id):
        assert result.sha256 == hashlib.sha256((folder / result.path).read_bytes()).hexdigest()


def test_unlabelled_digits_have_no_matrix(journey: Journey, tmp_path: Path) -> None:
    loose_digits(tmp_path / "scans", 3)
    job = job_of(journey, tmp_path / "scans")
    score_all(journey, job)
    assert results.job_confusion(journey.database, job.id) == []
    assert jobs.get(journey.database, job.id).accuracy is None


def test_every_file_that_is_no_digit_is_rejected_with_its_reason_and_the_rest_is_scored(
    journey: Journey, tmp_path: Path
) -> None:
    folder = digit_folder(tmp_path / "digits", 40)
    good = next((folder / "1").glob("*.png")).read_bytes()
    (folder / "1" / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "2" / "empty.png").touch()
    (folder / "3" / "notes.txt").write_text("not a picture")
    (folder / "4" / "secret.png").symlink_to("/etc/hostname")
    os.mkfifo(folder / "5" / "pipe.png")
    job = job_of(journey, folder)
    (folder / "6" / "gone.png").write_bytes(good)
    score_all(journey, job)
    found = {result.path: result for result in results.of_job(journey.database, job.id)}
    reasons = {path: result.reason for path, result in found.items() if result.status == "rejected"}
    assert reasons == {
        "1/cut.png": Reason.TRUNCATED,
        "2/empty.png": Reason.EMPTY,
        "3/notes.txt": Reason.NOT_AN_IMAGE,
        "4/secret.png": Reason.OUTSIDE,
        "5/pipe.png": Reason.UNREADABLE,
    }
    assert all(found[path].message for path in reasons)
    ended = jobs.get(journey.database, job.id)
    assert (ended.accounts.found, ended.accounts.scored, ended.accounts.rejected) == (45, 40, 5)
    rejected = {
        cell.actual: cell.count for cell in results.job_confusion(journey.database, job.id) if cell.predicted is None
    }
    assert rejected == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
    check_confusion(journey.database, job.id)


def test_an_image_that_vanished_after_it_was_listed_is_rejected_as_missing(journey: Journey, tmp_path: Path) -> None:
    folder = digit_folder(tmp_path / "digits", 5)
    job = job_of(journey, folder)
    gone = next(iter(sorted(folder.glob("*/*.png"))))
    gone.unlink()
    score_all(journey, job)
    (rejected,) = (result for result in results.of_job(journey.database, job.id) if result.status == "rejected")
    assert (rejected.path, rejected.reason) == (gone.relative_to(folder).as_posix(), Reason.MISSING)


def test_a_job_of_which_nothing_can_be_scored_fails_and_balances(journey: Journey, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    job = job_of(journey, tmp_path / "notes")
    assert score_all(journey, job)[0].startswith("0 scored, 1 rejected")
    ended = jobs.get(journey.database, job.id)
    assert ended.state is JobState.FAILED
    assert ended.accounts.balanced


def test_a_folder_that_is_away_costs_nothing_but_time_and_the_job_says_what_it_waits_for(
    make_journey: Callable[..., Journey], tmp_path: Path
) -> None:
    journey = make_journey(resend_after=0.01)
    folder = digit_folder(tmp_path / "digits", 2)
    job = job_of(journey, folder)
    (batch,) = batches.of_job(journey.database, job.id)
    away = folder.rename(tmp_path / "away")
    for _ in range(5):
        with pytest.raises(SourceNotFound, match="There is no folder"):
            journey.score(batch.id, nobody)
    assert sweeps.quarantine_exhausted(journey.database, 3) == []
    assert "There is no folder" in str(jobs.get(journey.database, job.id).trouble)
    away.rename(folder)
    assert journey.score(batch.id, nobody).startswith("2 scored")
    done = jobs.get(journey.database, job.id)
    assert (done.state, done.trouble) == (JobState.DONE, None)


def test_a_batch_whose_worker_is_told_to_stop_is_given_back_as_often_as_it_takes(
    make_journey: Callable[..., Journey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.pulse._NOTE_EVERY", -1.0)
    monkeypatch.setattr("worker.reading.ITEMS", 1)
    journey = make_journey()
    job = job_of(journey, digit_folder(tmp_path / "digits", 2))
    (batch,) = batches.of_job(journey.database, job.id)

    def stop(done: int, of: int) -> None:
        raise SystemExit(f"told to stop at {done} of {of}")

    for _ in range(5):
        with pytest.raises(SystemExit):
            journey.score(batch.id, stop)
    assert sweeps.quarantine_exhausted(journey.database, 3) == []
    assert journey.score(batch.id, nobody).startswith("2 scored")


def test_a_picture_that_nobody_thought_of_costs_its_own_row_and_no_other(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def prepare_badly(image: np.ndarray) -> np.ndarray:
        return prepare(image) if next(calls) != 3 else 1 // 0  # type: ignore[return-value]

    monkeypatch.setattr("classifier.strings.prepare", prepare_badly)
    job = job_of(journey, digit_folder(tmp_path / "digits", 10))
    assert score_all(journey, job)[0].startswith("9 scored, 1 rejected")
    found = list(results.of_job(journey.database, job.id))
    assert found[3].reason is Reason.UNREADABLE
    assert "division" in str(found[3].message)


def test_a_database_that_is_away_for_a_while_does_not_count_against_a_batch(
    make_journey: Callable[..., Journey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey = make_journey(lease_time=0.2)
    job = job_of(journey, digit_folder(tmp_path / "digits", 2))
    (batch,) = batches.of_job(journey.database, job.id)

    def away(*_: object) -> None:
        raise LedgerUnreachable("It does not answer.")

    for _ in range(5):
        monkeypatch.setattr("worker.journey.batches.finish", away)
        with pytest.raises(LedgerUnreachable):
            journey.score(batch.id, nobody)
    monkeypatch.undo()
    assert sweeps.quarantine_exhausted(journey.database, 3) == []
    assert journey.score(batch.id, nobody).startswith("2 scored")


def test_a_copy_of_a_batch_that_is_done_is_left_alone(journey: Journey, tmp_path: Path) -> None:
    job = job_of(journey, digit_folder(tmp_path / "digits", 2))
    assert score_all(journey, job)[0].startswith("2 scored")
    assert score_all(journey, job) == ["left alone: the batch is done"]


def test_a_batch_that_another_worker_holds_is_left_alone(journey: Journey, tmp_path: Path) -> None:
    job = job_of(journey, digit_folder(tmp_path / "digits", 2))
    (batch,) = batches.of_job(journey.database, job.id)
    held = batches.claim(journey.database, batch.id, worker="other", lease_time=60, max_attempts=3)
    assert isinstance(held, Lease)
    assert journey.score(batch.id, nobody) == "left alone: the batch is leased"


def test_a_worker_that_lost_its_lease_writes_nothing(make_journey: Callable[..., Journey], tmp_path: Path) -> None:
    slow = make_journey(lease_time=0.001)
    job = job_of(slow, digit_folder(tmp_path / "digits", 2))
    (batch,) = batches.of_job(slow.database, job.id)
    lease = slow.claim(batch.id)
    assert isinstance(lease, Lease)
    other = batches.claim(slow.database, batch.id, worker="other", lease_time=60, max_attempts=3)
    while not isinstance(other, Lease):
        other = batches.claim(slow.database, batch.id, worker="other", lease_time=60, max_attempts=3)
    slow.claim = lambda _: lease  # type: ignore[method-assign]  # it wakes up with the lease it had
    assert slow.score(batch.id, nobody) == "left alone: another worker took the batch over"
    assert list(results.of_job(slow.database, job.id)) == []
    assert slow.claim(batch.id) is not BatchState.DONE


def test_what_the_model_is_unsure_of_is_marked(make_journey: Callable[..., Journey], tmp_path: Path) -> None:
    strict = make_journey(target_error=1e-9)
    job = job_of(strict, digit_folder(tmp_path / "digits", 4))
    score_all(strict, job)
    assert {result.verdict for result in results.of_job(strict.database, job.id)} == {Verdict.UNCERTAIN}


def test_every_result_names_the_model_it_comes_from(journey: Journey, tmp_path: Path) -> None:
    folder = digit_folder(tmp_path / "digits", 3)
    (folder / "1" / "empty.png").touch()
    job = job_of(journey, folder)
    score_all(journey, job)
    assert {result.model for result in results.of_job(journey.database, job.id)} == {SHIPPED}


def test_a_worker_tells_how_far_a_long_batch_is(
    make_journey: Callable[..., Journey], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.pulse._NOTE_EVERY", -1.0)
    monkeypatch.setattr("worker.reading.ITEMS", 1)
    told: list[tuple[int, int]] = []
    journey = make_journey(lease_time=0.5)
    job = job_of(journey, digit_folder(tmp_path / "digits", 3))
    (batch,) = batches.of_job(journey.database, job.id)
    journey.score(batch.id, lambda done, of: told.append((done, of)))
    assert told == sorted(told)
    assert set(told) == {(0, 3), (1, 3), (2, 3), (3, 3)}


def test_the_model_is_traced_once_whatever_the_size_of_the_tail(journey: Journey, tmp_path: Path) -> None:
    for count in (1, 5, BATCH_SIZE, BATCH_SIZE + 1):
        score_all(journey, job_of(journey, digit_folder(tmp_path / f"digits-{count}", count)))
    assert journey.predictor(0).traces == 1
