"""What is measured of a model is what a person counts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import shipped_model
from classifier.predict import Predictor, Scores
from classifier.preprocess import Image
from classifier.weights import describe, load_networks, save_model
from tests.digits import digit_folder
from training.corruptions import CORRUPTIONS
from training.dataset import Digits, labelled_images, load_folder
from training.measure import coverage_risk, find_mistakes, measure, measure_corruptions


def said(labels: list[int], confidences: list[float]) -> Scores:
    """What a model says."""
    sure = np.array(confidences, np.float32)
    return Scores(np.array(labels), sure, sure, np.zeros((len(labels), 10), np.float32), -sure, sure < 0.5)


def reading(digits: Digits) -> Callable[[Image], Scores]:
    """A model that reads every image right, whatever it looks like."""
    return lambda images: said(digits.labels[: len(images)].tolist(), [0.9] * len(images))


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """The fast network of the shipped model, without careful ones."""
    (network, *_), card = load_networks(shipped_model())
    folder = tmp_path_factory.mktemp("models") / "fast"
    save_model(folder, network, [], dataclasses.replace(card, careful=(), escalate_below=0.0))
    return Predictor(folder, batch_size=50)


def untold(done: int, total: int, message: str) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def few_digits(digits: Digits) -> Digits:
    """150 digits, a third of them under a wrong label."""
    some = digits.take(np.arange(150))
    return Digits(some.images, np.where(np.arange(150) % 3 == 0, (some.labels + 1) % 10, some.labels))


def test_the_curve_counts_the_wrong_among_the_surest() -> None:
    curve = coverage_risk(np.array([0.9, 0.5, 0.8, 0.7], np.float32), np.array([True, True, False, True]))
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])


def test_equal_confidences_are_one_point_of_the_curve() -> None:
    curve = coverage_risk(np.array([0.9, 0.9, 0.8], np.float32), np.array([True, False, True]))
    assert curve.coverage.tolist() == pytest.approx([2 / 3, 1])
    assert curve.risk.tolist() == pytest.approx([1 / 2, 1 / 3])


@pytest.mark.parametrize("mistakes", [0, 3, 2000])
def test_a_long_curve_is_thinned_and_keeps_its_corners_and_its_end(mistakes: int) -> None:
    confidences = np.linspace(1, 0, 10_000, dtype=np.float32)
    correct = np.ones(10_000, np.bool_)
    correct[np.linspace(5000, 9000, mistakes).astype(np.intp)] = False
    curve = coverage_risk(confidences, correct)
    assert 1 < len(curve.coverage) <= 200
    assert np.all(np.diff(curve.coverage) > 0)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(mistakes / 10_000)
    assert curve.risk.max() == pytest.approx(mistakes / 9001, rel=0.01)


def test_mistakes_come_the_surest_first() -> None:
    found = find_mistakes(said([1, 7, 8, 9], [0.9, 0.5, 0.8, 0.6]), np.array([1, 2, 3, 4]))
    assert [(one.position, one.true, one.predicted) for one in found] == [(2, 3, 8), (3, 4, 9), (1, 2, 7)]
    assert found[0].as_dict() == {"position": 2, "true": 3, "predicted": 8, "confidence": pytest.approx(0.8)}


def test_a_model_is_measured_by_its_card_and_told_as_json(predictor: Predictor, few_digits: Digits) -> None:
    found = measure(predictor, few_digits, target_error=0.1)
    assert found.evaluation.accuracy == pytest.approx(2 / 3, abs=0.01)
    assert found.confident_above == predictor.card.confident_above(0.1)
    assert found.coverage == pytest.approx((found.confidences > found.confident_above).mean())
    assert found.risk == pytest.approx(1 / 3, abs=0.02)
    assert len(found.mistakes) == found.evaluation.images - found.correct.sum()
    assert found.images_per_second > 10
    assert found.fast is None
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["accuracy"] == found.evaluation.accuracy
    assert told["coverage_risk"]["coverage"][-1] == 1
    assert len(told["mistakes"]) == len(found.mistakes)


def test_where_no_label_is_sure_there_is_no_risk_to_tell(predictor: Predictor, few_digits: Digits) -> None:
    found = measure(predictor, few_digits, target_error=0)
    assert found.confident_above == 1
    assert found.coverage == 0
    assert found.as_dict()["risk"] is None


def test_the_fast_network_of_a_cascade_is_measured_alone_too(few_digits: Digits, tmp_path: Path) -> None:
    (network, *_), card = load_networks(shipped_model())
    careful = dataclasses.replace(describe(network, recipe={}, history={}), file="careful-1.keras")
    card = dataclasses.replace(card, careful=(careful,), escalate_below=1.0)
    save_model(tmp_path / "cascade", network, [network], card)
    found = measure(Predictor(tmp_path / "cascade", batch_size=50), few_digits, target_error=0.1)
    assert found.evaluation.escalated_share > 0.5
    assert found.fast is not None
    assert found.fast.escalated_share == 0
    assert found.fast.accuracy == pytest.approx(found.evaluation.accuracy, abs=0.01)
    assert found.as_dict()["fast"] == {
        **found.fast.as_dict(),
        "images_per_second": pytest.approx(found.fast_images_per_second),
    }


def test_the_accuracy_is_measured_for_every_corruption_and_progress_is_told(few_digits: Digits) -> None:
    told: list[tuple[int, int]] = []
    found = measure_corruptions(
        reading(few_digits), few_digits, seed=3, progress=lambda done, total, _: told.append((done, total))
    )
    assert set(found) == set(CORRUPTIONS)
    assert min(found.values()) >= 0.97  # what preparation refuses counts as read wrong
    assert max(found.values()) == 1.0
    assert told == [(done, len(CORRUPTIONS)) for done in range(len(CORRUPTIONS) + 1)]


def test_a_digit_that_is_refused_as_blank_is_read_wrong(few_digits: Digits) -> None:
    half = Digits(few_digits.images.copy(), few_digits.labels)
    half.images[:75] = 0
    found = measure_corruptions(reading(half), half, seed=3, progress=untold)
    assert found["brightness"] == 0.5
    assert found["rotate"] == 0.5


def test_paths_stand_in_the_order_of_the_digits(tmp_path: Path) -> None:
    folder = digit_folder(tmp_path / "digits", 60)
    (folder / "3" / ".hidden").touch()
    paths, digits = [path for path, _ in labelled_images(folder)], load_folder(folder)
    assert [int(path.split("/")[0]) for path in paths] == digits.labels.tolist()
