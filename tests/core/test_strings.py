"""Several digits in one picture are kept as a string, and every image can be asked for by its verdict."""

from __future__ import annotations

from sqlalchemy import text

from core import tables
from core.database import Database
from core.ledger import batches, corrections, jobs, results
from core.ledger.shadows import Shadow
from core.vocabulary import Cell, Digit, Outcome, Reason, Verdict
from tests.core.examples import (
    create_batch,
    create_job,
    new_job,
    outcome,
    prediction,
    register_model,
    rejection,
    rows,
    score,
    take,
)


def test_a_string_comes_back_with_each_of_its_digits(database: Database) -> None:
    job = create_job(database, [3])
    score(database, job, [[7, "0471", None]])
    digit, string, refused = results.of_job(database, job.id)
    assert (digit.label, digit.digits) == (7, ())
    assert (string.status, string.label, string.confidence, string.margin) == ("scored", "0471", 0.75, 0.5)
    assert string.digits == tuple(Digit(label, 0.875) for label in (0, 4, 7, 1))
    assert (refused.label, refused.digits) == (None, ())


def test_a_string_is_null_where_a_script_looks_for_a_digit(database: Database) -> None:
    score(database, create_job(database, [2]), [[7, "12"]])
    assert [(row["label"], row["string"]) for row in rows(database, tables.predictions)] == [(7, None), (None, "12")]
    with database.read() as connection:
        nulls = "SELECT position FROM predictions WHERE digits IS NULL AND string IS NULL"
        assert connection.scalars(text(nulls)).all() == [0]


def test_a_string_is_scored_and_its_true_label_counts_for_no_digit(database: Database) -> None:
    job = create_job(database, [3], labelled=True)
    score(database, job, [[0, "12", 2]])
    ended = jobs.get(database, job.id)
    assert (ended.accounts.scored, ended.accounts.balanced) == (3, True)
    assert (ended.labelled, ended.correct) == (2, 2)
    assert set(results.job_confusion(database, job.id)) == {Cell(0, 0, 1), Cell(1, None, 1), Cell(2, 2, 1)}


def test_every_image_that_was_seen_has_a_verdict_and_is_counted_by_it(database: Database) -> None:
    batch = create_batch(database, 8)
    lease = take(database, batch)
    scored = (Verdict.DIGIT, Verdict.DIGIT, Verdict.UNCERTAIN, Verdict.NOT_A_DIGIT)
    refused = (Reason.BLANK, Reason.LOW_CONTRAST, Reason.SEVERAL, Reason.TRUNCATED)
    predictions = [prediction(lease, place, 1, verdict) for place, verdict in enumerate(scored)]
    rejections = [rejection(lease, place, reason) for place, reason in enumerate(refused, start=len(scored))]
    batches.finish(database, lease, Outcome(predictions, rejections, []))
    verdicts = [result.verdict for result in results.of_job(database, batch.job_id)]
    assert verdicts == [*scored, Verdict.BLANK, Verdict.LOW_CONTRAST, Verdict.SEVERAL, None]
    assert results.verdict_counts(database, batch.job_id) == {**dict.fromkeys(Verdict, 1), Verdict.DIGIT: 2}


def test_a_job_without_results_counts_no_verdict(database: Database) -> None:
    assert results.verdict_counts(database, create_job(database).id) == dict.fromkeys(Verdict, 0)


def test_a_job_and_its_workers_know_whether_it_is_split(database: Database) -> None:
    for split in (False, True):
        job = create_job(database, split=split)
        assert (job.split, jobs.get(database, job.id).split) == (split, split)
        assert take(database, batches.of_job(database, job.id)[0]).split is split


def test_a_job_from_before_there_were_strings_is_not_split(database: Database) -> None:
    register_model(database)
    job = jobs.create(database, new_job(split=True))
    with database.begin() as connection:
        connection.execute(tables.jobs.update().values(options={"labels": "auto"}))
    assert jobs.get(database, job.id).split is False
    assert take(database, batches.of_job(database, job.id)[0]).split is False


def test_a_challenger_is_compared_on_single_digits_alone(database: Database) -> None:
    batch = create_batch(database, 3)
    challenger = register_model(database, "other")
    lease = take(database, batch)
    batches.finish(database, lease, outcome(lease, labels=[1, "23", 4]), Shadow(challenger.id, [1, 5], [0.5, 0.5]))
    kept = [(row["position"], row["label"]) for row in rows(database, tables.shadow_predictions)]
    assert kept == [(0, 1), (2, 5)]


def test_a_string_can_be_corrected_to_the_digit_that_it_is(database: Database) -> None:
    job = create_job(database, [1])
    score(database, job, [["11"]])
    kept = corrections.record(database, job.id, "1/0.png", 4, by="ada")
    assert (kept.old_label, kept.new_label) == (None, 4)
