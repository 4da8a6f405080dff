"""What the images of a batch come to, by verdict and by reason, is kept with the batch."""

from __future__ import annotations

import pytest
from alembic import command

from core import tables
from core.database import Database
from core.ledger import batches, jobs, results, steering, sweeps
from core.vocabulary import Outcome, Reason, Verdict
from tests.core.examples import (
    MAX_ATTEMPTS,
    batch_row,
    create_job,
    exhaust,
    outcome,
    prediction,
    rejection,
    rows,
    score,
    take,
)


def test_a_batch_keeps_its_counts_by_verdict_and_by_reason(database: Database) -> None:
    job = create_job(database, [4])
    (batch,) = batches.of_job(database, job.id)
    row = batch_row(database, batch)
    assert (row["verdicts"], row["reasons"]) == (None, None)
    score(database, job, [[3, None, 5, None]])
    row = batch_row(database, batch)
    assert (row["verdicts"], row["reasons"]) == ({"uncertain": 2}, {"truncated": 2})


def test_a_batch_keeps_its_counts_by_label_and_by_confidence(database: Database) -> None:
    job = create_job(database, [9])
    (batch,) = batches.of_job(database, job.id)
    lease = take(database, batch)
    confidences = (0.1, 0.5, 0.500001, 0.75, 0.95, 0.9999, 1.0)
    single = [prediction(lease, at, at % 2)._replace(confidence=sure) for at, sure in enumerate(confidences)]
    batches.finish(database, lease, Outcome([*single, prediction(lease, 7, "12")], [rejection(lease, 8)], []))
    row = batch_row(database, batch)
    assert row["labels"] == {"0": 4, "1": 3, "string": 1}
    assert row["confidences"] == {"0.5": 2, "0.6": 1, "0.8": 2, "0.95": 1, "1.0": 2}
    assert row["confidence_sum"] == pytest.approx(sum(confidences) + 0.75)


def test_a_batch_that_is_given_up_counts_its_images_as_quarantined(database: Database) -> None:
    job = create_job(database, [3])
    (batch,) = batches.of_job(database, job.id)
    exhaust(database, batch)
    assert sweeps.quarantine_exhausted(database, MAX_ATTEMPTS) == [batch.id]
    row = batch_row(database, batch)
    assert (row["verdicts"], row["reasons"]) == ({}, {"quarantined": 3})
    assert results.rejection_counts(database, job.id) == {Reason.QUARANTINED: 3}


def test_a_batch_that_is_scored_anew_is_not_counted_until_then(database: Database) -> None:
    job = create_job(database, [2, 3])
    lost, _ = batches.of_job(database, job.id)
    exhaust(database, lost)
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    kept = take(database, batches.of_job(database, job.id)[1])
    batches.finish(database, kept, outcome(kept))
    steering.retry(database, jobs.get(database, job.id))
    forgotten = batch_row(database, lost)
    assert [forgotten[name] for name in ("labels", "confidences", "confidence_sum")] == [None] * 3
    assert results.rejection_counts(database, job.id) == {}
    assert results.verdict_counts(database, job.id)[Verdict.UNCERTAIN] == 3
    again = take(database, lost)
    batches.finish(database, again, outcome(again))
    assert results.verdict_counts(database, job.id)[Verdict.UNCERTAIN] == 5


def test_the_batches_of_an_older_ledger_are_counted_as_it_is_migrated(database: Database) -> None:
    job = create_job(database, [3, 2, 2, 1])
    mixed, refused, given_up, _ = batches.of_job(database, job.id)
    for batch, labels in ((mixed, [1, None, "12"]), (refused, [None, None])):
        lease = take(database, batch)
        batches.finish(database, lease, outcome(lease, labels=labels))
    exhaust(database, given_up)
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    before = rows(database, tables.batches)
    command.downgrade(database.alembic_config(), "0005")
    command.upgrade(database.alembic_config(), "head")
    # Whoever made an older ledger had sent every batch.
    assert rows(database, tables.batches) == [{**row, "unsent": False} for row in before]
    assert before[1]["verdicts"] == {}
    assert before[3]["verdicts"] is None
