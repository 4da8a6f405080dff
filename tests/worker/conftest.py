"""A journey as a pool child makes it: the shipped model, loaded once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from classifier.artifact import shipped_model
from classifier.predict import Predictor
from core.database import Database
from core.ledger import batches, jobs, models
from core.settings import Settings
from core.vocabulary import Job, Labels, Trigger
from digitline.setup import register_model
from scheduler.producer import plan
from tests.conftest import MakeSettings
from worker.journey import Journey

BATCH_SIZE = 32


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """The shipped model."""
    return Predictor(shipped_model(), batch_size=BATCH_SIZE)


@pytest.fixture
def make_journey(database: Database, settings: MakeSettings, predictor: Predictor) -> Callable[..., Journey]:
    """Builds journeys on an empty ledger, once on each database: `make_journey(lease_time=5)`."""

    def make(**overrides: object) -> Journey:
        chosen: Settings = settings(batch_size=BATCH_SIZE, **overrides)
        register_model(database, chosen)
        return Journey(database, chosen, lambda _: predictor, "test")

    return make


@pytest.fixture
def journey(make_journey: Callable[..., Journey]) -> Journey:
    """A journey with default limits."""
    return make_journey()


def job_of(journey: Journey, folder: Path, labels: Labels = Labels.AUTO, *, split: bool | None = None) -> Job:
    """Make a job of a folder, without any queue."""
    asked = {"name": None, "labels": labels, "queue": None, "split": split, "claim": None}
    return jobs.create(journey.database, plan(journey.settings, folder, **asked, triggered_by=Trigger.SCRIPT))


def score_all(journey: Journey, job: Job) -> list[str]:
    """Score every batch of a job; returns what the worker said of each."""
    return [journey.score(batch.id, nobody) for batch in batches.of_job(journey.database, job.id)]


def nobody(done: int, of: int) -> None:
    """Tell nobody how far a batch is."""


def production(journey: Journey) -> int:
    """Id of the model in production."""
    return models.find(journey.database, models.PRODUCTION).id
