"""Figures of merit are those that a person computes by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from classifier.predict import Scores
from classifier.preprocess import Image
from training.evaluate import evaluate, judge, score_matrix

#: 0 read as 0, 0, 1; 1 read as 1, 1; 2 read as 0.
TRUE = np.array([0, 0, 0, 1, 1, 2])
READ = np.array([0, 0, 1, 1, 1, 0])


def test_figures_are_those_computed_by_hand() -> None:
    result = judge(READ, TRUE)
    assert result.accuracy == pytest.approx(4 / 6)
    assert [score.precision for score in result.per_class[:4]] == pytest.approx([2 / 3, 2 / 3, 0, 0])
    assert [score.recall for score in result.per_class[:4]] == pytest.approx([2 / 3, 1, 0, 0])
    assert [score.f1 for score in result.per_class[:4]] == pytest.approx([2 / 3, 4 / 5, 0, 0])
    assert [score.images for score in result.per_class[:4]] == [3, 2, 1, 0]
    assert result.macro_precision == pytest.approx(4 / 9)
    assert result.macro_recall == pytest.approx(5 / 9)
    assert result.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 3)
    assert result.images == 6


def test_rows_of_the_matrix_are_true_digits_and_columns_predicted_ones() -> None:
    matrix = judge(READ, TRUE).confusion_matrix
    assert matrix.shape == (10, 10)
    assert matrix.dtype == np.int64
    assert matrix[0].tolist()[:3] == [2, 1, 0]
    assert matrix[2].tolist()[:3] == [1, 0, 0]


def test_a_matrix_alone_gives_the_same_figures() -> None:
    rng = np.random.default_rng(3)
    true = rng.integers(0, 10, 500)
    read = np.where(rng.random(500) < 0.7, true, rng.integers(0, 10, 500))
    for labels, predicted in ((true, read), (TRUE, READ)):
        whole, alone = judge(predicted, labels), score_matrix(judge(predicted, labels).confusion_matrix)
        assert alone.accuracy == pytest.approx(whole.accuracy)
        assert alone.macro_precision == pytest.approx(whole.macro_precision)
        assert alone.macro_recall == pytest.approx(whole.macro_recall)
        assert alone.macro_f1 == pytest.approx(whole.macro_f1)
        for mine, theirs in zip(alone.per_class, whole.per_class, strict=True):
            assert mine.as_dict() == pytest.approx(theirs.as_dict())
        assert alone.images == whole.images
        assert alone.calibration_error is None


def test_digits_that_do_not_occur_do_not_lower_the_means() -> None:
    assert judge(np.array([3, 4]), np.array([3, 4])).macro_recall == 1


def test_evaluating_asks_the_predictor_and_counts_its_confidences() -> None:
    def sure_of_seven(images: Image) -> Scores:
        count = len(images)
        ones = np.full(count, 0.9, np.float32)
        escalated = np.arange(count) == 0
        return Scores(np.full(count, 7), ones, ones, np.zeros((count, 10), np.float32), -ones, escalated)

    result = evaluate(sure_of_seven, np.zeros((4, 28, 28), np.uint8), np.array([7, 7, 7, 1]))
    assert result.accuracy == 0.75
    assert result.calibration_error == pytest.approx((3 * 0.1 + 0.9) / 4)
    assert result.escalated_share == 0.25


def test_the_interval_of_the_accuracy_narrows_with_the_images() -> None:
    few, many = judge(READ, TRUE), judge(np.tile(READ, 100), np.tile(TRUE, 100))
    assert few.accuracy_interval == pytest.approx((0.2999, 0.9032), abs=1e-4)
    assert many.accuracy_interval == pytest.approx((0.6279, 0.7032), abs=1e-3)


def test_an_evaluation_goes_through_json() -> None:
    result = json.loads(json.dumps(judge(READ, TRUE).as_dict()))
    assert set(result) == {
        "accuracy",
        "accuracy_interval",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "per_class",
        "confusion_matrix",
        "calibration_error",
        "images",
        "escalated_share",
    }
    assert result["per_class"]["1"]["recall"] == 1
    assert result["confusion_matrix"][0][:2] == [2, 1]


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(ValueError, match="0 predictions"):
        judge(np.zeros(0, np.int64), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="judged"):
        judge(READ, TRUE[:3])
    with pytest.raises(ValueError, match="at least one"):
        score_matrix(np.zeros((10, 10), np.int64))
    with pytest.raises(ValueError, match="10x10"):
        score_matrix(np.ones((3, 3), np.int64))
