"""A person's word on an image is kept, and the last one counts."""

from __future__ import annotations

import pytest

from core.database import Database
from core.errors import ImageNotFound
from core.ledger import batches, corrections
from core.ledger.corrections import Correction
from tests.core.examples import create_batch, outcome, take


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
