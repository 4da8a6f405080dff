"""The challenger's shadow: kept beside what counts, and compared with it."""

from __future__ import annotations

import pytest

from core import tables
from core.database import Database
from core.errors import StaleLease
from core.ledger import batches, jobs, models, shadows
from core.ledger.shadows import Difference, Disagreement, Shadow
from core.vocabulary import Job, Model
from tests.core.examples import LEASE_TIME, RUN_OUT, create_job, new_job, outcome, register_model, rows, take


@pytest.fixture
def production(database: Database) -> Model:
    """The model whose scores count."""
    return register_model(database)


@pytest.fixture
def challenger(database: Database, production: Model) -> Model:
    """Another one."""
    assert production.alias == "production"
    return models.challenge(database, register_model(database, "challenger"))


def shadow_job(
    database: Database, challenger: Model, read: list[int | None], shadow: list[int], confidences: list[float]
) -> Job:
    """A job of one batch whose images show 0, 1, 2...; the challenger reads those that are scored."""
    job = create_job(database, [len(read)], labelled=True)
    (batch,) = batches.of_job(database, job.id)
    lease = take(database, batch)
    batches.finish(database, lease, outcome(lease, labels=read), Shadow(challenger.id, shadow, confidences))
    return job


def test_a_shadow_is_kept_by_the_place_of_the_image(database: Database, challenger: Model) -> None:
    shadow_job(database, challenger, [0, None, 2], [0, 7], [0.5, 0.75])
    kept = [(row["position"], row["model_id"], row["label"], row["confidence"]) for row in shadow_rows(database)]
    assert kept == [(0, challenger.id, 0, 0.5), (2, challenger.id, 7, 0.75)]


def test_a_shadow_changes_nothing_that_counts(database: Database, challenger: Model) -> None:
    job = jobs.get(database, shadow_job(database, challenger, [0, 1, 9], [5, 5, 5], [1.0] * 3).id)
    assert (job.accounts.scored, job.labelled, job.correct, job.model) == (3, 3, 2, "small")


def test_a_worker_that_lost_its_lease_leaves_no_shadow(database: Database, challenger: Model) -> None:
    (batch,) = batches.of_job(database, create_job(database, [1]).id)
    late = take(database, batch, lease_time=RUN_OUT)
    take(database, batch, lease_time=LEASE_TIME)
    with pytest.raises(StaleLease):
        batches.finish(database, late, outcome(late), Shadow(challenger.id, [1], [0.5]))
    assert shadow_rows(database) == []


def test_a_shadow_that_does_not_fit_its_batch_is_written_with_nothing_else(
    database: Database, challenger: Model
) -> None:
    with pytest.raises(ValueError, match="zip"):
        shadow_job(database, challenger, [0, 1], [0], [0.5])
    assert shadow_rows(database) == []
    assert rows(database, tables.predictions) == []


def test_models_are_compared_on_what_both_have_read(database: Database, production: Model, challenger: Model) -> None:
    first = shadow_job(database, challenger, [0, 9, 2, None], [0, 1, 3], [0.5, 0.99, 0.6])
    shadow_job(database, challenger, [0, 9], [8, 1], [0.7, 0.98])
    create_job(database, [5], labelled=True)
    found = shadows.compare(database, production, challenger)
    assert (found.images, found.alike, found.agreement) == (5, 1, 0.2)
    assert (found.labelled, found.production_right, found.challenger_right) == (5, 3, 3)
    assert found.differences == (
        Difference(9, 1, 2, 0, 2),
        Difference(0, 8, 1, 1, 0),
        Difference(2, 3, 1, 1, 0),
    )
    # The model that counts gives 0.75 to each; the less sure of the two decides the order.
    assert [(one.path, one.challenger_confidence) for one in found.disagreements] == [
        ("1/1.png", 0.99),
        ("1/1.png", 0.98),
        ("1/0.png", 0.7),
        ("1/2.png", 0.6),
    ]
    assert found.disagreements[0] == Disagreement(first.id, "scans", "1/1.png", 9, 0.75, 1, 0.99, 1, 1, 1)


def test_no_more_disagreements_are_given_than_asked_for(
    database: Database, production: Model, challenger: Model
) -> None:
    shadow_job(database, challenger, [0, 1, 2], [5, 5, 5], [0.5, 0.6, 0.7])
    found = shadows.compare(database, production, challenger, shown=1)
    assert [one.path for one in found.disagreements] == ["1/2.png"]
    assert found.alike == 0


def test_images_without_a_true_label_are_compared_and_judged_by_nobody(
    database: Database, production: Model, challenger: Model
) -> None:
    job = jobs.create(database, new_job([2]))
    lease = take(database, batches.of_job(database, job.id)[0])
    batches.finish(database, lease, outcome(lease, labels=[1, 2]), Shadow(challenger.id, [1, 3], [0.5, 0.5]))
    found = shadows.compare(database, production, challenger)
    assert (found.images, found.alike, found.labelled) == (2, 1, 0)
    assert found.differences == (Difference(2, 3, 1, 0, 0),)
    assert found.disagreements[0].true_label is None


def test_what_an_earlier_model_in_production_read_is_not_compared(
    database: Database, production: Model, challenger: Model
) -> None:
    shadow_job(database, challenger, [0, 1], [5, 5], [0.5, 0.5])
    later = models.promote(database, register_model(database, "later"))
    found = shadows.compare(database, later, challenger)
    assert (found.images, found.agreement, found.differences) == (0, None, ())
    assert shadows.compare(database, production, challenger).images == 2


def shadow_rows(database: Database) -> list[dict[str, object]]:
    """All that was kept of challengers."""
    return rows(database, tables.shadow_predictions)
