"""A picture of several digits is turned away, or, in a job that splits pictures, read as one string."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from classifier.predict import Predictor
from core import tables
from core.ledger import jobs, models, results
from core.vocabulary import Cell, Reason, Verdict
from tests.core.examples import register_model, rows
from tests.digits import digit_folder, string_picture
from tests.oracle import check_confusion
from tests.worker.conftest import job_of, production, score_all
from worker.journey import Journey


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Five sample digits in class folders, and a picture of four of them among the sevens."""
    folder = digit_folder(tmp_path / "scans", 5)
    assert string_picture(folder / "7" / "string.png", [0, 1, 2, 3]) == "7210"
    return folder


def test_a_picture_of_several_digits_is_turned_away_with_the_mend(journey: Journey, scans: Path) -> None:
    job = job_of(journey, scans)
    score_all(journey, job)
    (rejected,) = (one for one in results.of_job(journey.database, job.id) if one.status == "rejected")
    assert (rejected.path, rejected.reason, rejected.verdict) == ("7/string.png", Reason.SEVERAL, Verdict.SEVERAL)
    assert "--split" in str(rejected.message)
    check_confusion(journey.database, job.id)


def test_a_job_that_splits_pictures_reads_it_from_left_to_right(journey: Journey, scans: Path) -> None:
    job = job_of(journey, scans, split=True)
    score_all(journey, job)
    found = {one.path: one for one in results.of_job(journey.database, job.id)}
    string = found["7/string.png"]
    assert (string.status, string.label, string.verdict) == ("scored", "7210", Verdict.DIGIT)
    assert "".join(str(digit.label) for digit in string.digits) == string.label
    assert string.confidence == pytest.approx(math.prod(digit.confidence for digit in string.digits))
    assert all(one.label == one.true_label for path, one in found.items() if path != "7/string.png")
    ended = jobs.get(journey.database, job.id)
    assert (ended.accounts.scored, ended.labelled, ended.correct) == (6, 5, 5)
    assert Cell(7, None, 1) in results.job_confusion(journey.database, job.id)
    check_confusion(journey.database, job.id)


def test_pictures_of_one_digit_are_read_alike_whether_or_not_the_job_splits(journey: Journey, tmp_path: Path) -> None:
    folder = digit_folder(tmp_path / "digits", 40)
    whole, split = job_of(journey, folder), job_of(journey, folder, split=True)
    for job in (whole, split):
        score_all(journey, job)
    assert list(results.of_job(journey.database, whole.id)) == list(results.of_job(journey.database, split.id))


def test_the_settings_say_whether_a_job_splits_where_nobody_else_does(
    make_journey: Callable[..., Journey], scans: Path
) -> None:
    journey = make_journey(split=True)
    assert [job_of(journey, scans, split=split).split for split in (None, True, False)] == [True, True, False]


def test_the_challenger_reads_the_single_digits_beside_a_string(
    make_journey: Callable[..., Journey], scans: Path, predictor: Predictor
) -> None:
    journey = make_journey(challenger_share=1.0)
    challenger = register_model(journey.database, "challenger")
    models.challenge(journey.database, challenger, None)
    assert challenger.id != production(journey)
    journey.predictor = lambda _: predictor
    job = job_of(journey, scans, split=True)
    score_all(journey, job)
    read = {row["position"]: row["label"] for row in rows(journey.database, tables.predictions)}
    shadow = {row["position"]: row["label"] for row in rows(journey.database, tables.shadow_predictions)}
    assert shadow == {position: label for position, label in read.items() if label is not None}
    assert len(shadow) == 5
