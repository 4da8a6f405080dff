"""`digitline models compare`: where two models differ, in the shadow and on what people reviewed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import update

from core import tables
from core.database import Database
from core.ledger import batches, corrected, corrections, jobs, models
from core.ledger.shadows import Shadow
from core.sources import to_url
from core.vocabulary import Job, Manifest, NewJob, QueueName, Trigger
from tests.core.examples import create_job, outcome, register_model, take
from tests.digitline.conftest import Digitline

pytestmark = pytest.mark.usefixtures("home")


def test_compare_shows_where_the_challenger_and_the_model_in_production_differ(
    digitline: Digitline, ledger: Database
) -> None:
    job = create_job(ledger, [4], labelled=True)
    challenger = models.challenge(ledger, register_model(ledger, "the other one"))
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    shadow = Shadow(challenger.id, [0, 1, 2, 8], [0.9, 0.9, 0.9, 0.6])
    batches.finish(ledger, lease, outcome(lease, labels=[0, 7, 2, 3]), shadow)
    shown = json.loads(digitline("models", "compare", "--json").out)
    assert (shown["production"]["name"], shown["challenger"]["name"]) == ("small", "the other one")
    assert (shown["images"], shown["alike"], shown["agreement"]) == (4, 2, 0.5)
    assert (shown["labelled"], shown["production_right"], shown["challenger_right"]) == (4, 3, 3)
    assert shown["differences"][1] == {
        "production": 7,
        "challenger": 1,
        "images": 1,
        "production_right": 0,
        "challenger_right": 1,
    }
    assert [(one["job_id"], one["path"]) for one in shown["disagreements"]] == [(1, "1/1.png"), (1, "1/3.png")]
    table = digitline("models", "compare", "--show", "1").out
    assert "2 (50.000%)" in table
    assert "3 and 3 of 4 labelled" in table
    assert table.splitlines()[-1].split() == ["1", "7", "0.7500", "1", "0.9000", "1", "scans", "1/1.png"]


@pytest.fixture
def reviewed(ledger: Database, shipped: str, labelled: Path) -> Job:
    """A job of the shipped model, whose ten images people have said the truth of."""
    assert shipped
    files = [min((labelled / str(digit)).iterdir()) for digit in range(10)]
    new = NewJob(
        "scans",
        to_url(labelled),
        [Manifest([f"{one.parent.name}/{one.name}" for one in files])],
        QueueName.EXPRESS,
        Trigger.CLI,
    )
    job = jobs.create(ledger, new)
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    found = outcome(lease)
    digests = [hashlib.sha256((labelled / one.path).read_bytes()).hexdigest() for one in found.predictions]
    scored = [one._replace(sha256=sha256) for one, sha256 in zip(found.predictions, digests, strict=True)]
    batches.finish(ledger, lease, dataclasses.replace(found, predictions=scored))
    for digit, one in enumerate(scored):
        corrections.record(ledger, job.id, one.path, digit, by="ada")
    return job


def test_two_models_read_the_reviewed_images_anew_and_what_people_said_is_true(
    digitline: Digitline, reviewed: Job, untrained: str
) -> None:
    ended = digitline("models", "compare", untrained, "--on-corrections", "--job", str(reviewed.id), "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert (found["images"], found["labelled"], found["learned"], found["missing"]) == (10, 10, 0, [])
    assert found["production_right"] == 10
    assert found["alike"] == found["challenger_right"] < 5
    assert sum(one["images"] for one in found["differences"]) == 10 - found["alike"]
    assert {one["true_label"] for one in found["disagreements"]} == {one["production"] for one in found["differences"]}


def test_images_that_a_model_learned_from_speak_neither_for_it_nor_against_it(
    digitline: Digitline, ledger: Database, reviewed: Job, untrained: str, labelled: Path
) -> None:
    learned = [one.sha256 for one in corrected.every(ledger, [reviewed.id])][:4]
    with ledger.begin() as connection:
        card = {**models.find(ledger, untrained).card, "corrections": learned}
        connection.execute(update(tables.models).where(tables.models.c.name == untrained).values(card=card))
    (labelled / list(corrected.every(ledger))[-1].path).unlink()
    ended = digitline("models", "compare", untrained, "--on-corrections", "--json")
    found = json.loads(ended.out)
    assert (found["images"], found["learned"], len(found["missing"])) == (5, 4, 1)
    refused = json.loads(digitline("models", "promote", untrained, "--on", str(labelled), "--json").out)
    (measured,) = refused["checks"]["sets"]
    assert (measured["images"], measured["learned"]) == (295, 4)


def test_comparing_needs_a_challenger(digitline: Digitline, ledger: Database) -> None:
    register_model(ledger)
    ended = digitline("models", "compare")
    assert ended.code == 1
    assert "No model is the challenger. `digitline models challenge MODEL` names one." in ended.err
