"""The ledger has no room, or is away for a while: a worker keeps what it has scored, and no batch is blamed for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import LedgerUnwritable
from core.ledger import batches, jobs, results, sweeps
from core.vocabulary import JobState
from tests.digits import digit_folder
from tests.full import no_room
from tests.oracle import attempts, check_job, labels_of
from tests.waiting import wait_until
from tests.worker.conftest import job_of, nobody, score_all
from worker import outage
from worker.journey import Journey

#: Enough for their rows to need a page more, once as many are there.
DIGITS = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of digits, one batch."""
    return digit_folder(tmp_path_factory.mktemp("outage") / "digits", DIGITS)


def test_what_was_scored_is_recorded_once_there_is_room_and_is_scored_only_once(
    journey: Journey, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    quiet = job_of(journey, folder)
    score_all(journey, quiet)
    job = job_of(journey, folder)
    (batch,) = batches.of_job(journey.database, job.id)
    with ThreadPoolExecutor(1) as worker:
        with no_room(journey.database):
            told = worker.submit(journey.score, batch.id, nobody)
            wait_until(lambda: "takes nothing" in caplog.text, "the worker says so")
        assert told.result().startswith(f"{DIGITS} scored")
    check_job(journey.database, job.id, labels_of(journey.database, quiet.id))
    assert attempts(journey.database, job.id) == [1]
    assert caplog.text.count("takes nothing") == caplog.text.count("takes what it is given again") == 1


def test_a_ledger_without_room_is_said_once_for_all_batches_that_are_given_back_and_so_is_that_it_has_room_again(
    make_journey: Callable[..., Journey], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journey = make_journey(lease_time=0.2)
    score_all(journey, job_of(journey, folder))
    job = job_of(journey, folder)
    with no_room(journey.database):
        for _ in range(3):
            with pytest.raises(LedgerUnwritable):
                score_all(journey, job)
    assert not journey.outage.lasts, "the batch was given back"
    assert (caplog.text.count("takes nothing"), caplog.text.count("takes what it is given again")) == (1, 0)
    score_all(journey, job)
    assert (caplog.text.count("takes nothing"), caplog.text.count("takes what it is given again")) == (1, 1)


def test_a_ledger_that_has_had_no_room_for_long_is_said_again(
    make_journey: Callable[..., Journey],
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outage, "_REMINDER", 0.0)
    journey = make_journey(lease_time=0.2)
    score_all(journey, job_of(journey, folder))
    job = job_of(journey, folder)
    with no_room(journey.database):
        for times in (1, 2):
            with pytest.raises(LedgerUnwritable):
                score_all(journey, job)
            assert caplog.text.count("takes nothing") >= times


def test_a_batch_whose_rows_find_no_room_for_longer_than_a_lease_is_given_back_and_never_quarantined(
    make_journey: Callable[..., Journey], folder: Path
) -> None:
    journey = make_journey(lease_time=0.2)
    score_all(journey, job_of(journey, folder))
    job = job_of(journey, folder)
    (batch,) = batches.of_job(journey.database, job.id)
    with no_room(journey.database):
        for _ in range(journey.settings.max_attempts + 1):
            with pytest.raises(LedgerUnwritable, match="takes nothing"):
                journey.score(batch.id, nobody)
            assert attempts(journey.database, job.id) == [0]
        assert sweeps.quarantine_exhausted(journey.database, journey.settings.max_attempts) == []
        assert "takes nothing" in str(jobs.get(journey.database, job.id).trouble)
    assert score_all(journey, job)[0].startswith(f"{DIGITS} scored")
    assert jobs.get(journey.database, job.id).state is JobState.DONE
    assert len(list(results.of_job(journey.database, job.id))) == DIGITS
