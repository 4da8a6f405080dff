"""The challenger scores its share of the batches in the shadow, and whatever it does, no batch pays for it."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import read_card, shipped_model, write_card
from classifier.predict import Predictor, Scores
from classifier.preprocess import Image
from core import tables
from core.database import Database
from core.ledger import batches, jobs, models, results, shadows
from core.settings import Settings
from core.vocabulary import JobState, Lease, Model
from digitline.setup import register_folder
from tests.core.examples import rows
from tests.digits import digit_folder
from tests.worker.conftest import BATCH_SIZE, job_of, score_all
from worker.journey import Journey
from worker.shadow import is_chosen, is_due


@pytest.fixture
def challenger(journey: Journey, tmp_path: Path) -> Model:
    """The shipped model under another name, which challenges the one in production for every batch."""
    folder = shutil.copytree(shipped_model(), tmp_path / "other")
    write_card(folder, dataclasses.replace(read_card(folder), name="other"))
    return models.challenge(journey.database, register_folder(journey.database, folder, journey.settings), 1.0)


def load(database: Database) -> Callable[[int], Predictor]:
    """Loads models as a worker does."""

    def predictor(model_id: int) -> Predictor:
        model = models.get(database, model_id)
        return Predictor(Path(model.location), batch_size=BATCH_SIZE, sha256=model.sha256)

    return predictor


def test_a_share_of_the_batches_is_chosen_and_always_the_same_ones() -> None:
    chosen = {share: {number for number in range(10_000) if is_chosen(number, share)} for share in (0, 0.1, 0.5, 1)}
    assert [len(chosen[share]) for share in (0, 1)] == [0, 10_000]
    assert 900 < len(chosen[0.1]) < 1100
    assert 4800 < len(chosen[0.5]) < 5200
    assert chosen[0.1] < chosen[0.5]
    assert chosen[0.1] == {number for number in range(10_000) if is_chosen(number, 0.1)}


def test_the_challenger_reads_what_the_model_in_production_reads_and_nothing_else_changes(
    journey: Journey, challenger: Model, tmp_path: Path
) -> None:
    folder = digit_folder(tmp_path / "digits", 40)
    (folder / "0" / "empty.png").touch()
    quiet = dataclasses.replace(journey, settings=journey.settings.model_copy())
    models.end_challenge(journey.database)
    without = job_of(quiet, folder)
    score_all(quiet, without)
    models.challenge(journey.database, challenger, 1.0)
    job = job_of(journey, folder)
    score_all(journey, job)
    said = [list(results.of_job(journey.database, one.id)) for one in (without, job)]
    assert said[0] == said[1]
    found = shadows.compare(journey.database, models.find(journey.database, "production"), challenger)
    assert (found.images, found.alike, found.labelled) == (40, 40, 40)
    numbers = {batch.id for batch in batches.of_job(journey.database, job.id)}
    assert {row["batch_id"] for row in rows(journey.database, tables.shadow_predictions)} == numbers


@pytest.mark.parametrize("own_share", [None, 0.0])
def test_the_share_is_the_challenges_own_or_that_of_the_settings(
    make_journey: Callable[..., Journey], challenger: Model, tmp_path: Path, own_share: float | None
) -> None:
    journey = make_journey(challenger_share=1.0)
    models.challenge(journey.database, challenger, own_share)
    score_all(journey, job_of(journey, digit_folder(tmp_path / "digits", 3)))
    assert len(rows(journey.database, tables.shadow_predictions)) == (3 if own_share is None else 0)


@pytest.mark.parametrize("trouble", ["gone", "changed", "hostile", "not a number", "out of memory"])
def test_a_challenger_that_fails_costs_a_warning_and_no_batch(
    journey: Journey, challenger: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    journey.predictor = failing(journey, challenger, trouble)
    job = job_of(journey, digit_folder(tmp_path / "digits", 3))
    with caplog.at_level(logging.WARNING):
        assert score_all(journey, job)[0].startswith("3 scored")
    ended = jobs.get(journey.database, job.id)
    assert (ended.state, ended.accounts.scored) == (JobState.DONE, 3)
    assert rows(journey.database, tables.shadow_predictions) == []
    (warning,) = caplog.messages
    assert warning.startswith("batch 1 goes without the challenger: ")
    assert _REASONS[trouble] in warning


_REASONS = {
    "gone": "card.json cannot be read",
    "changed": "holds another model",
    "hostile": "fast.keras is not the file of card.json",
    "not a number": "a confidence that is no number",
    "out of memory": "MemoryError",
}


def failing(journey: Journey, challenger: Model, trouble: str) -> Callable[[int], Predictor]:
    """Gives the models of a journey of whose challenger something is wrong."""
    folder, sound = Path(challenger.location), journey.predictor
    if trouble == "gone":
        shutil.rmtree(folder)
    elif trouble == "changed":
        write_card(folder, dataclasses.replace(read_card(folder), temperature=9.0))
    elif trouble == "hostile":
        (folder / "fast.keras").write_bytes(b"PK\x03\x04 anything")
    else:
        broken = not_a_number if trouble == "not a number" else out_of_memory
        return lambda model_id: broken if model_id == challenger.id else sound(model_id)  # type: ignore[return-value]
    real = load(journey.database)
    return lambda model_id: real(model_id) if model_id == challenger.id else sound(model_id)


def not_a_number(images: Image) -> Scores:
    """What a network of broken weights says."""
    count = len(images)
    nothing = np.full(count, np.nan, np.float32)
    return Scores(
        labels=np.zeros(count, np.int64),
        confidences=nothing,
        margins=nothing,
        probabilities=np.zeros((count, 10), np.float32),
        energies=nothing,
        escalated=np.zeros(count, bool),
    )


def out_of_memory(images: Image) -> Scores:
    """What a network says that is too large for this host to read images with."""
    assert len(images) > 0
    raise MemoryError


def test_only_the_first_attempt_at_a_batch_asks_the_challenger(
    journey: Journey, challenger: Model, tmp_path: Path
) -> None:
    job = job_of(journey, digit_folder(tmp_path / "digits", 3))
    (batch,) = batches.of_job(journey.database, job.id)
    died = batches.claim(journey.database, batch.id, worker="dead", lease_time=-1, max_attempts=3)
    assert isinstance(died, Lease)
    assert (died.challenger, is_due(died, 1.0)) == (challenger.id, True)
    assert score_all(journey, job)[0].startswith("3 scored")
    assert rows(journey.database, tables.shadow_predictions) == []


def test_the_lease_is_renewed_after_the_challenger_was_asked(
    make_journey: Callable[..., Journey], challenger: Model, tmp_path: Path
) -> None:
    journey = make_journey(lease_time=0.003, challenger_share=1.0)
    events: list[str] = []
    sound, renew = journey.predictor, journey.renew

    def renewed(lease: Lease) -> None:
        events.append("renewed")
        renew(lease)

    def asked(model_id: int) -> Predictor:
        events.append("the challenger" if model_id == challenger.id else "production")
        return sound(model_id)

    journey.predictor, journey.renew = asked, renewed  # type: ignore[method-assign]
    assert score_all(journey, job_of(journey, digit_folder(tmp_path / "digits", 3)))[0].startswith("3 scored")
    assert events[events.index("the challenger") :] == ["the challenger", "renewed"]


@pytest.mark.timeout(200)
def test_a_challenger_that_ends_its_process_costs_a_batch_one_attempt(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", database_url=sqlite_url, batch_size=BATCH_SIZE, challenger_share=1.0)
    database = Database(sqlite_url)
    production = register_folder(database, shipped_model(), settings)
    folder = shutil.copytree(shipped_model(), tmp_path / "other")
    write_card(folder, dataclasses.replace(read_card(folder), name="other"))
    models.challenge(database, register_folder(database, folder, settings), 1.0)
    job = job_of(Journey(database, settings, load(database), "test"), digit_folder(tmp_path / "digits", 3))
    script = (
        "import os; from pathlib import Path; from core.database import Database; from core.settings import Settings;"
        "from classifier.predict import Predictor; from worker.journey import Journey;"
        f"sound = Predictor(Path({production.location!r}), batch_size={BATCH_SIZE});"
        f"settings = Settings(home={str(tmp_path / 'home')!r}, challenger_share=1.0, lease_time=1.0);"
        f"predictor = lambda number: sound if number == {production.id} else os._exit(139);"
        f"journey = Journey(Database({sqlite_url!r}), settings, predictor, 'child');"
        "told = 'leased'\n"
        "while 'leased' in told: told = journey.score(1, lambda done, of: None)"  # until the dead one's lease ends
    )
    ended = [subprocess.run([sys.executable, "-c", script], timeout=90, check=False).returncode for _ in range(2)]
    assert ended == [139, 0]
    after = jobs.get(database, job.id)
    assert (after.state, after.accounts.scored, after.accounts.quarantined) == (JobState.DONE, 3, 0)
    database.close()


@pytest.mark.usefixtures("challenger")
def test_a_batch_of_which_nothing_can_be_read_is_not_put_to_the_challenger(journey: Journey, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    assert score_all(journey, job_of(journey, tmp_path / "notes"))[0].startswith("0 scored, 1 rejected")
    assert rows(journey.database, tables.shadow_predictions) == []


def test_a_job_of_the_challengers_own_is_not_read_by_it_twice(
    journey: Journey, challenger: Model, tmp_path: Path
) -> None:
    first = models.find(journey.database, "production")
    models.promote(journey.database, challenger)
    job = job_of(journey, digit_folder(tmp_path / "digits", 3))
    models.promote(journey.database, first)
    models.challenge(journey.database, challenger, 1.0)
    score_all(journey, job)
    assert {result.model for result in results.of_job(journey.database, job.id)} == {"other"}
    assert rows(journey.database, tables.shadow_predictions) == []
