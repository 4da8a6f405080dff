"""Confusion matrices: summed by the ledger, they are those of scikit-learn and TensorFlow over the same rows."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from sqlalchemy import column as sql_column
from sqlalchemy import insert, select, table, text
from sqlalchemy.exc import IntegrityError

from core import tables
from core.database import Database
from core.ledger import batches, jobs, models, results, sweeps
from core.vocabulary import DIGITS, Cell, Manifest, NewJob, QueueName, Trigger
from tests.core.examples import MAX_ATTEMPTS, create_batch, create_job, exhaust, outcome, register_model, score, take

SEED = 3
IMAGES_PER_BATCH = 120


def random_job(database: Database, seed: int) -> int:
    """Score three batches of images, some rejected, some without a true label, one batch given up; returns the job."""
    choose = random.Random(seed)
    manifests = []
    for sequence in range(4):
        paths = [f"{sequence}/{number}.png" for number in range(IMAGES_PER_BATCH)]
        manifests.append(Manifest(paths, [choose.choice([*range(DIGITS), None]) for _ in paths]))
    new = NewJob("random", "file:///random", manifests, QueueName.EXPRESS, Trigger.SCRIPT)
    job = jobs.create(database, new)
    *scored, given_up = batches.of_job(database, job.id)
    for batch in scored:
        lease = take(database, batch)
        labels = [None if choose.random() < 0.1 else choose.randrange(DIGITS) for _ in lease.manifest.paths]
        batches.finish(database, lease, outcome(lease, labels=labels))
    exhaust(database, given_up)
    assert sweeps.quarantine_exhausted(database, MAX_ATTEMPTS) == [given_up.id]
    return job.id


def labelled_predictions(database: Database, job_id: int) -> tuple[list[int], list[int]]:
    """True and predicted labels of a job's predictions rows."""
    with database.read() as connection:
        of_job = tables.predictions.join(tables.batches, tables.predictions.c.batch_id == tables.batches.c.id)
        pairs = connection.execute(
            select(tables.predictions.c.true_label, tables.predictions.c.label)
            .select_from(of_job)
            .where(tables.batches.c.job_id == job_id, tables.predictions.c.true_label.is_not(None))
        ).all()
    return [actual for actual, _label in pairs], [label for _actual, label in pairs]


def matrix(cells: list[Cell]) -> np.ndarray:
    """Rows actual, columns predicted; rejected images are left out."""
    assert len({(cell.actual, cell.predicted) for cell in cells}) == len(cells)
    counts = np.zeros((DIGITS, DIGITS), dtype=np.int64)
    for cell in cells:
        if cell.predicted is not None:
            counts[cell.actual, cell.predicted] = cell.count
    return counts


def test_a_jobs_matrix_is_that_of_scikit_learn(database: Database) -> None:
    register_model(database)
    for seed in (SEED, SEED + 1):
        job_id = random_job(database, seed)
        expected = confusion_matrix(*labelled_predictions(database, job_id), labels=range(DIGITS))
        assert expected.sum() > 200
        np.testing.assert_array_equal(matrix(results.job_confusion(database, job_id)), expected)


def test_a_jobs_matrix_is_that_of_tensorflow(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf  # here, for it takes seconds

    register_model(sqlite)
    job_id = random_job(sqlite, SEED)
    expected = tf.math.confusion_matrix(*labelled_predictions(sqlite, job_id), num_classes=DIGITS)
    np.testing.assert_array_equal(matrix(results.job_confusion(sqlite, job_id)), expected.numpy())


def test_the_images_that_were_not_read_are_counted_by_their_true_label(database: Database) -> None:
    register_model(database)
    job_id = random_job(database, SEED)
    unread = [0] * DIGITS
    for result in results.of_job(database, job_id):
        if result.status == "rejected" and result.true_label is not None:
            unread[result.true_label] += 1
    cells = results.job_confusion(database, job_id)
    assert {cell.actual: cell.count for cell in cells if cell.predicted is None} == dict(enumerate(unread))
    assert sum(unread) > IMAGES_PER_BATCH / 2


def test_a_models_matrix_is_the_sum_of_its_jobs(database: Database) -> None:
    register_model(database)
    first = [random_job(database, seed) for seed in (SEED, SEED + 1)]
    models.promote(database, register_model(database, "other"))
    other = random_job(database, SEED + 2)
    for model_id, of_model in ((1, first), (2, [other])):
        expected = sum(matrix(results.job_confusion(database, job_id)) for job_id in of_model)
        np.testing.assert_array_equal(matrix(_model_confusion(database, model_id)), expected)


def _model_confusion(database: Database, model_id: int) -> list[Cell]:
    columns: list[Any] = [sql_column(name) for name in ("actual", "predicted", "count")]
    view = table("model_confusion", sql_column("model_id"), *columns)
    with database.read() as connection:
        rows = connection.execute(select(*columns).select_from(view).where(view.c.model_id == model_id))
        return [Cell(row.actual, row.predicted, int(row[2])) for row in rows]


def test_without_true_labels_there_is_no_matrix(database: Database) -> None:
    job = create_job(database, [3, 2])
    score(database, job, labels=[[1, None, 2], [0, 0]])
    assert results.job_confusion(database, job.id) == []


def test_the_summary_view_gives_the_accounts(database: Database) -> None:
    job = create_job(database, [4, 2, 3], labelled=True)
    done, given_up, _open = batches.of_job(database, job.id)
    lease = take(database, done)
    batches.finish(database, lease, outcome(lease, labels=[0, 7, None, 3]))
    exhaust(database, given_up)
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    with database.read() as connection:
        row = connection.execute(text("SELECT * FROM job_summary")).mappings().one()
    expected = {"found": 9, "scored": 3, "rejected": 1, "quarantined": 2, "open": 3, "labelled": 3, "correct": 2}
    assert {name: row[name] for name in expected} == expected
    assert (row["job_id"], row["name"], row["state"], row["model"]) == (job.id, "scans", "running", "small")


def test_the_summary_view_has_a_job_without_batches(database: Database) -> None:
    create_job(database, [])
    with database.read() as connection:
        row = connection.execute(text("SELECT * FROM job_summary")).mappings().one()
    assert (row["found"], row["scored"], row["open"]) == (0, 0, 0)


def test_the_summary_view_does_not_multiply_counts(database: Database) -> None:
    for size in (2, 3):
        score(database, create_job(database, [size, size], labelled=True))
    with database.read() as connection:
        rows = connection.execute(text("SELECT found, scored, correct FROM job_summary ORDER BY job_id")).all()
    assert [tuple(row) for row in rows] == [(4, 4, 4), (6, 6, 6)]


@pytest.mark.parametrize("predicted", [4, None], ids=["read", "not read"])
def test_a_cell_of_a_batch_exists_once(database: Database, predicted: int | None) -> None:
    batch = create_batch(database)
    cell = {"batch_id": batch.id, "actual": 3, "predicted": predicted, "count": 1}
    with database.begin() as connection:
        connection.execute(insert(tables.confusion).values(cell))
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(tables.confusion).values(cell))
    other = {**cell, "actual": 5}
    with database.begin() as connection:
        connection.execute(insert(tables.confusion).values(other))


@pytest.mark.parametrize("written", [tables.predictions, tables.rejections], ids=str)
def test_a_position_of_a_batch_exists_once(database: Database, written: object) -> None:
    batch = create_batch(database, 1)
    lease = take(database, batch)
    batches.finish(database, lease, outcome(lease, labels=[1 if written is tables.predictions else None]))
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(text(f"INSERT INTO {written} SELECT * FROM {written}"))


def test_a_row_of_no_batch_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert(tables.confusion).values(batch_id=4711, actual=1, predicted=1, count=1))


def test_an_unknown_state_is_refused(database: Database) -> None:
    create_batch(database)
    for name in ("jobs", "batches"):
        with pytest.raises(IntegrityError), database.begin() as connection:
            connection.execute(text(f"UPDATE {name} SET state = 'lost'"))


def test_results_come_in_the_order_of_the_folder(database: Database) -> None:
    job = create_job(database, [4, 3])
    first, second = batches.of_job(database, job.id)
    for batch, labels in ((second, [None, 1, 2]), (first, [5, None, None, 6])):
        lease = take(database, batch)
        batches.finish(database, lease, outcome(lease, labels=labels))
    found = list(results.of_job(database, job.id))
    assert [result.path for result in found] == [f"1/{p}.png" for p in range(4)] + [f"2/{p}.png" for p in range(3)]
    assert [result.label for result in found] == [5, None, None, 6, None, 1, 2]
    assert list(results.rejection_counts(database, job.id).values()) == [3]
