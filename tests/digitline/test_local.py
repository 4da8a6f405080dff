"""Reading digits in this process: the same bytes, the same answers as on the line."""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
from pathlib import Path
from typing import Never

import cv2
import numpy as np
import pytest

import digitline
from classifier.artifact import RiskPoint, read_card, write_card
from classifier.predict import Predictor
from core.database import Database
from core.errors import ArtifactError, SourceEmpty
from core.ledger import batches, jobs, results
from core.ledger.results import Result
from core.settings import Settings, get_settings
from core.vocabulary import Labels, Reason, Trigger, Verdict
from digitline.explanation import explain
from digitline.local import load_predictor, read_paths
from scheduler.producer import plan
from tests.core.examples import register_model
from tests.digits import digit_folder, string_picture
from worker.journey import Journey

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def discerning(scans: Path, model_folder: Path, tmp_path: Path) -> Path:
    """A model folder that takes a third of the sample digits each for a digit, an uncertain one and none at all."""
    # A network that learned nothing is sure of something only when it is cold.
    cold = shutil.copytree(model_folder, tmp_path / "cold")
    card = dataclasses.replace(read_card(cold), temperature=0.01)
    write_card(cold, card)
    images = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(scans.glob("*/*[0-9].png"))])
    scores = load_predictor(cold)(images)
    limit = float(np.quantile(scores.energies, 0.66))
    sure = float(np.median(scores.confidences[scores.energies <= limit]))
    risk = (RiskPoint(above=sure, coverage=0.5, error_bound=0.001),)
    folder = shutil.copytree(model_folder, tmp_path / "discerning")
    write_card(folder, dataclasses.replace(card, energy_limit=limit, risk=risk))
    return folder


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Sample digits in class folders, and files that cannot be read among them."""
    folder = digit_folder(tmp_path / "scans", 12)
    (folder / "3" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "3" / "empty.png").touch()
    (folder / "4" / "link.png").symlink_to(folder / "3")
    return folder


def on_the_line(database: Database, settings: Settings, folder: Path, model: Path, *, split: bool) -> list[Result]:
    """What a worker makes of a folder."""
    new = plan(
        settings, folder, name=None, labels=Labels.AUTO, queue=None, split=split, triggered_by=Trigger.CLI, claim=None
    )
    register_model(database, name=read_card(model).name)
    job = jobs.create(database, new)
    predictor = Predictor(model, batch_size=settings.images_at_once)
    journey = Journey(database, settings, lambda _: predictor, "w1")
    for batch in batches.of_job(database, job.id):
        journey.score(batch.id, lambda _done, _all: None)
    return list(results.of_job(database, job.id))


@pytest.mark.parametrize("split", [False, True])
def test_the_same_folder_gets_the_same_answers_as_on_the_line_whatever_it_is_taken_for(
    ledger: Database, home: Settings, scans: Path, discerning: Path, *, split: bool
) -> None:
    blank, faint = np.full((60, 60), 200, np.uint8), np.full((60, 60), 200, np.uint8)
    faint[15:45, 28:33] = 194
    for name, picture in (("blank", blank), ("faint", faint)):
        cv2.imwrite(str(scans / f"{name}.png"), picture)
    string_picture(scans / "string.png", [0, 1, 2, 3])
    here = list(read_paths([scans], model=discerning, split=split))
    assert here == on_the_line(ledger, home, scans, discerning, split=split)
    found = {result.path: result for result in here}
    assert found["blank.png"].verdict is Verdict.BLANK
    assert found["faint.png"].verdict is Verdict.LOW_CONTRAST
    assert found["3/torn.png"].verdict is None
    if split:
        assert len(found["string.png"].digits) == len(str(found["string.png"].label)) > 1
    else:
        assert {result.verdict for result in here} == {*Verdict, None}


def test_a_picture_that_nobody_thought_of_is_rejected_here_as_on_the_line(
    scans: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare_badly(_: object) -> Never:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("classifier.strings.prepare", prepare_badly)
    (result,) = digitline.predict([min((scans / "7").glob("*.png"))], model=model_folder)
    assert (result.reason, result.verdict) == (Reason.UNREADABLE, None)


def test_many_single_files_are_read_with_few_descriptors(scans: Path, model_folder: Path) -> None:
    load_predictor(model_folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 20, hard))
    try:
        found = digitline.predict([min((scans / "7").glob("*.png"))] * 100, model=model_folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [result.status for result in found] == ["scored"] * 100


def test_an_array_gets_the_answer_of_its_file(scans: Path, model_folder: Path) -> None:
    path = min((scans / "7").glob("*.png"))
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    from_file, from_array, *from_stack = digitline.predict([path, image, np.stack([image, image])], model=model_folder)
    assert from_file.path == str(path)
    assert [result.path for result in (from_array, *from_stack)] == ["image 0", "image 1", "image 2"]
    answers = {(result.label, result.confidence) for result in (from_file, from_array, *from_stack)}
    assert len(answers) == 1


def test_one_image_needs_no_list(model_folder: Path) -> None:
    page = np.full((40, 40, 3), 255, np.uint8)
    page[10:30, 18:22] = 0
    (result,) = digitline.predict(page, model=model_folder)
    assert result.status == "scored"
    assert result.verdict in set(Verdict)


@pytest.mark.parametrize(("target_error", "above"), [(None, 0.8), ("0.03", 0.5), ("0.001", 1.0)])
def test_a_verdict_is_sure_above_the_confidence_that_the_target_error_asks_for(
    target_error: str | None,
    above: float,
    scans: Path,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A network that learned nothing is sure of something only when it is cold.
    cold = shutil.copytree(model_folder, tmp_path / "cold")
    write_card(cold, dataclasses.replace(read_card(cold), temperature=0.01))
    if target_error is not None:
        monkeypatch.setenv("DIGITLINE_TARGET_ERROR", target_error)
        get_settings.cache_clear()
    scored = [one for one in digitline.predict(scans, model=cold) if one.confidence is not None]
    assert min(one.confidence for one in scored) < 0.5
    assert max(one.confidence for one in scored) > 0.8
    for one in scored:
        assert one.verdict is (Verdict.DIGIT if one.confidence > above else Verdict.UNCERTAIN)


def test_an_explained_image_gets_the_verdict_of_its_folder(scans: Path, model_folder: Path) -> None:
    for result in digitline.predict(scans, model=model_folder):
        if result.status == "scored":
            explained = explain(scans / result.path, model=model_folder)
            assert explained.reading is not None
            assert (explained.reading.label, explained.verdict) == (result.label, result.verdict)


def test_a_blank_array_is_rejected_with_a_reason(model_folder: Path) -> None:
    (result,) = digitline.predict(np.zeros((28, 28), np.uint8), model=model_folder)
    assert (result.status, result.reason, result.label) == ("rejected", Reason.BLANK, None)


def test_a_file_that_is_not_there_is_rejected_like_any_other(model_folder: Path) -> None:
    (result,) = digitline.predict("nowhere.png", model=model_folder)
    assert (result.path, result.reason) == ("nowhere.png", Reason.MISSING)


def test_a_link_that_is_named_outright_is_followed(scans: Path, tmp_path: Path, model_folder: Path) -> None:
    link = tmp_path / "link.png"
    link.symlink_to(min((scans / "7").glob("*.png")))
    assert digitline.predict(link, model=model_folder)[0].status == "scored"


@pytest.mark.parametrize("array", [np.zeros((28, 28)), np.zeros(28, np.uint8), np.zeros((2, 2, 28, 28), np.uint8)])
def test_an_array_of_another_kind_is_refused(array: np.ndarray, model_folder: Path) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match="Arrays must be"):
        digitline.predict(array, model=model_folder)


def test_an_empty_folder_is_refused(tmp_path: Path, model_folder: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceEmpty):
        digitline.predict(tmp_path / "none", model=model_folder)


def test_more_images_than_a_batch_come_in_order(
    scans: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = digitline.predict(scans, model=model_folder)
    monkeypatch.setenv("DIGITLINE_BATCH_SIZE", "4")
    get_settings.cache_clear()
    assert [result.path for result in digitline.predict(scans, model=model_folder)] == [result.path for result in whole]


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(ArtifactError, match="nomodel"):
        digitline.predict(np.zeros((28, 28), np.uint8), model="nomodel")
