"""A person's word on an image is kept, and the last one counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from core import tables
from core.database import Database
from core.errors import ImageNotFound
from core.ledger import batches, corrected, corrections, jobs, results, steering, tallies
from core.ledger.corrections import Correction, Word
from core.ledger.gallery import Place
from core.vocabulary import Job, Outcome, Reason
from tests.core.examples import (
    create_batch,
    create_job,
    new_job,
    outcome,
    prediction,
    rejection,
    rows,
    score,
    take,
)
from tests.core.racing import at_once, several_databases


@pytest.fixture
def job_id(database: Database) -> int:
    """A job of three images that show 0, 1 and 2, of which the last was rejected."""
    lease = take(database, create_batch(database, 3, labelled=True))
    batches.finish(database, lease, outcome(lease, labels=[0, 7, None]))
    return lease.batch.job_id


def test_the_last_word_on_an_image_counts_and_remembers_the_one_before(database: Database, job_id: int) -> None:
    first = corrections.record(database, job_id, "1/1.png", 7, by="ada")
    assert first == Correction("1/1.png", old_label=1, new_label=7, corrected_by="ada")
    corrections.record(database, job_id, "1/1.png", 4, by="bob")
    assert corrections.of_job(database, job_id) == [Correction("1/1.png", old_label=7, new_label=4, corrected_by="bob")]


def test_corrections_come_in_the_order_of_the_folder_also_of_rejected_images(database: Database, job_id: int) -> None:
    for path in ("1/2.png", "1/0.png"):
        corrections.record(database, job_id, path, 9, by="ada")
    assert [one.path for one in corrections.of_job(database, job_id)] == ["1/0.png", "1/2.png"]


def test_a_job_without_corrections_has_none(database: Database, job_id: int) -> None:
    assert corrections.of_job(database, job_id) == []


def test_an_image_that_the_job_does_not_have_cannot_be_corrected(database: Database, job_id: int) -> None:
    with pytest.raises(ImageNotFound, match=r"no image '1/9\.png'"):
        corrections.record(database, job_id, "1/9.png", 3, by="ada")
    with pytest.raises(ImageNotFound):
        corrections.record(database, job_id + 1, "1/0.png", 3, by="ada")


def test_a_label_that_is_no_digit_is_refused(database: Database, job_id: int) -> None:
    with pytest.raises(ValueError, match="10 is no digit"):
        corrections.record(database, job_id, "1/0.png", 10, by="ada")


def test_where_no_true_label_is_known_the_models_is_what_was_believed(database: Database) -> None:
    lease = take(database, create_batch(database, 2))
    batches.finish(database, lease, outcome(lease, labels=[6, None]))
    kept = [corrections.record(database, lease.batch.job_id, f"1/{place}.png", 8, by="ada") for place in (0, 1)]
    assert [one.old_label for one in kept] == [6, None]


def counts(job: Job) -> tuple[int, int, int, int]:
    """What a job counts by true labels: labelled, correct, reviewed, and labelled by review alone."""
    return job.labelled, job.correct, job.reviewed, job.labelled_by_review


def cells(database: Database, job_id: int) -> dict[tuple[int, int | None], int]:
    """A job's confusion matrix, which the view and the code give alike."""
    found = {(cell.actual, cell.predicted): cell.count for cell in results.job_confusion(database, job_id)}
    with database.read() as connection:
        of_job = connection.execute(text("SELECT * FROM job_confusion WHERE job_id = :job"), {"job": job_id}).all()
        of_models = connection.execute(text("SELECT * FROM model_confusion")).all()
    assert {(row.actual, row.predicted): row[3] for row in of_job} == found
    assert {(row.actual, row.predicted): row[3] for row in of_models} == found
    return found


def summary(database: Database) -> tuple[int, int, int, int]:
    """What the view says that `counts` does."""
    wanted = "SELECT labelled, correct, reviewed, labelled_by_review FROM job_summary"
    with database.read() as connection:
        return tuple(map(int, connection.execute(text(wanted)).one()))


def test_a_corrected_image_counts_in_the_row_of_its_new_label_at_once(database: Database, job_id: int) -> None:
    assert cells(database, job_id) == {(0, 0): 1, (1, 7): 1, (2, None): 1}
    assert counts(jobs.get(database, job_id)) == summary(database) == (2, 1, 0, 0)
    corrections.record(database, job_id, "1/1.png", 7, by="ada")
    corrections.record(database, job_id, "1/2.png", 5, by="ada")
    assert cells(database, job_id) == {(0, 0): 1, (7, 7): 1, (5, None): 1}
    assert counts(jobs.get(database, job_id)) == summary(database) == (2, 2, 2, 0)
    assert [one.true_label for one in results.of_job(database, job_id)] == [0, 7, 5]


@pytest.mark.parametrize("said", ["not_a_digit", "several", "19"])
def test_an_image_that_shows_no_single_digit_counts_in_no_row(database: Database, job_id: int, said: str) -> None:
    corrections.record(database, job_id, "1/1.png", Word.of(said), by="ada")
    assert cells(database, job_id) == {(0, 0): 1, (2, None): 1}
    assert counts(jobs.get(database, job_id)) == summary(database) == (1, 1, 1, 0)
    found = list(results.of_job(database, job_id))[1]
    assert (found.true_label, str(found.review)) == (None, said)
    (kept,) = corrections.of_job(database, job_id)
    assert (kept.old_label, kept.new_label, str(kept.word)) == (1, None, said)


def test_of_a_job_without_labels_the_reviewed_images_alone_make_the_matrix(database: Database) -> None:
    job = create_job(database, [4])
    score(database, job, labels=[[3, 3, "47", None]])
    for place, label in enumerate((3, 8, 4, 5)):
        corrections.record(database, job.id, f"1/{place}.png", label, by="ada")
    assert cells(database, job.id) == {(3, 3): 1, (8, 3): 1, (4, None): 1, (5, None): 1}
    assert counts(jobs.get(database, job.id)) == summary(database) == (2, 1, 4, 2)


def test_a_word_that_is_withdrawn_gives_way_to_the_one_before_and_stays_as_history(
    database: Database, job_id: int
) -> None:
    before = cells(database, job_id)
    corrections.record(database, job_id, "1/1.png", 7, by="ada")
    corrections.record(database, job_id, "1/0.png", 6, by="bob")
    corrections.record(database, job_id, "1/1.png", Word.of("several"), by="ada")
    taken_back = corrections.withdraw(database, by="ada")
    assert taken_back is not None
    assert (taken_back.path, str(taken_back.word)) == ("1/1.png", "several")
    assert [str(one.word) for one in corrections.of_job(database, job_id)] == ["6", "7"]
    assert str(corrections.withdraw(database, by="ada").word) == "7"
    assert corrections.withdraw(database, by="ada") is None
    assert str(corrections.withdraw_of(database, job_id, "1/0.png", by="ada").word) == "6"
    assert cells(database, job_id) == before
    kept = rows(database, tables.corrections)
    assert [(row["withdrawn_by"], row["stands"]) for row in kept] == [("ada", False)] * 3
    assert all(row["withdrawn_at"] >= row["corrected_at"] for row in kept)


def test_a_word_is_withdrawn_once_whoever_asks_and_leaves_a_later_one_alone(database: Database, job_id: int) -> None:
    first = corrections.record(database, job_id, "1/1.png", 7, by="ada")
    corrections.record(database, job_id, "1/1.png", 4, by="bob")
    assert corrections.withdraw(database, by="ada", correction_id=first.id) is not None
    assert corrections.withdraw(database, by="eve", correction_id=first.id) is None
    assert [str(one.word) for one in corrections.of_job(database, job_id)] == ["4"]


def test_of_people_who_speak_of_one_image_at_once_one_has_the_last_word(database_url: str) -> None:
    with several_databases(database_url, 4) as databases:
        lease = take(databases[0], create_batch(databases[0], 1))
        batches.finish(databases[0], lease, outcome(lease))
        place = Place(lease.batch.id, 0)
        at_once(
            [
                lambda database=database, label=label: corrections.say(
                    database, place, Word.digit(label), by=str(label)
                )
                for label, database in enumerate(databases)
            ]
        )
        kept = rows(databases[0], tables.corrections)
    assert [row["stands"] for row in kept] == [False, False, False, True]
    assert {row["new_label"] for row in kept} == {0, 1, 2, 3}


def test_corrections_outlive_a_retry_and_count_again_once_the_batch_is_scored_anew(database: Database) -> None:
    batch = create_batch(database, 3, labelled=True)
    lease = take(database, batch)
    lost = replace(rejection(lease, 2, Reason.QUARANTINED), true_label=2)
    found = Outcome(
        [prediction(lease, 0, 0), prediction(lease, 1, 7)], [lost], outcome(lease, labels=[0, 7, None]).confusion
    )
    batches.finish(database, lease, found)
    corrections.record(database, batch.job_id, "1/1.png", 4, by="ada")
    steering.retry(database, jobs.get(database, batch.job_id))
    assert cells(database, batch.job_id) == {}
    assert counts(jobs.get(database, batch.job_id)) == (0, 0, 0, 0)
    lease = take(database, batch)
    batches.finish(database, lease, outcome(lease, labels=[0, 4, 2]))
    assert cells(database, batch.job_id) == {(0, 0): 1, (4, 4): 1, (2, 2): 1}
    assert counts(jobs.get(database, batch.job_id)) == (3, 3, 1, 0)


def test_what_people_said_is_read_and_counted_across_jobs(database: Database, job_id: int) -> None:
    other = jobs.create(database, new_job([2], name="others"))
    score(database, other, labels=[[5, 5]])
    corrections.record(database, job_id, "1/1.png", 7, by="ada")
    corrections.record(database, other.id, "1/0.png", Word.of("not_a_digit"), by="bob")
    corrections.record(database, job_id, "1/2.png", 4, by="ada")
    everything = list(corrected.every(database))
    assert [(one.job_name, one.path, str(one.word), one.predicted) for one in everything] == [
        ("scans", "1/1.png", "7", 7),
        ("scans", "1/2.png", "4", None),
        ("others", "1/0.png", "not_a_digit", 5),
    ]
    assert [one.path for one in corrected.every(database, [other.id])] == ["1/0.png"]
    tally = tallies.tally(database)
    assert tally.by_job == ((other.id, "others", 1), (job_id, "scans", 2))
    assert (tally.by_class, tally.images, tally.changed) == ({"not_a_digit": 1, "4": 1, "7": 1}, 3, 2)
    assert tally.by_reviewer == {"ada": 2, "bob": 1}


@pytest.mark.parametrize("text", ["", "x", "-1", "١", "1 9", "digit", "1" * 101])
def test_what_is_no_word_on_an_image_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no digit, no string"):
        Word.of(text)
