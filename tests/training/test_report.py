"""Plots show what they are given."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.report import (
    comparison_figure,
    confidence_figure,
    confusion_figure,
    corruption_figure,
    coverage_risk_figure,
    png_data_url,
    reliability_figure,
    training_figure,
)

MATRIX = np.diag(np.arange(90, 100)) + np.eye(10, k=1, dtype=np.int64) * 3


def texts(figure: Figure) -> list[str]:
    """Every word of a figure's plots."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def drawn(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    kind, _, content = png_data_url(figure).partition(",")
    assert kind == "data:image/png;base64"
    return base64.b64decode(content)


def test_the_confusion_matrix_shows_every_count() -> None:
    figure = confusion_figure(MATRIX)
    assert texts(figure) == [str(count) for count in MATRIX.ravel()]
    assert figure.axes[0].get_ylabel() == "actual digit"
    assert drawn(figure).startswith(b"\x89PNG")


def test_a_matrix_without_images_is_drawn_all_the_same() -> None:
    assert drawn(confusion_figure(np.zeros((10, 10), np.int64)))


def test_confidences_are_drawn_right_and_wrong_apart() -> None:
    figure = confidence_figure(np.array([0.1, 0.9, 0.99, 1.0], np.float32), np.array([False, True, True, True]))
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert {text.get_text() for text in legend.get_texts()} == {"right", "wrong"}
    assert drawn(figure)


def test_reliability_and_training_are_drawn() -> None:
    assert drawn(reliability_figure(np.array([0.3, 0.9, 1.0], np.float32), np.array([False, True, True])))
    history = {name: [0.5, 0.1] for name in ("loss", "accuracy", "validation_loss", "validation_accuracy")}
    assert drawn(training_figure(history))


def test_reliability_tells_how_many_images_a_bar_stands_for() -> None:
    confidences = np.repeat(np.array([0.5, 0.99], np.float32), [3, 1200])
    assert texts(reliability_figure(confidences, confidences > 0.6)) == ["3", "1,200"]


def test_coverage_and_risk_are_drawn_where_there_is_something_to_see() -> None:
    coverage, risk = np.array([0.5, 0.97, 1.0]), np.array([0.0, 0.01, 0.02])
    figure = coverage_risk_figure(coverage, risk, target_error=0.005, answered=0.95)
    left, right = figure.axes[0].get_xlim()
    assert 90 < left < 95
    assert right == 100
    assert figure.axes[0].get_ylim()[1] > 2
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][1:] == ["target 0.50%", "sure: 95.00% of the images"]
    assert drawn(figure)


@pytest.mark.parametrize("risk", [0.0, 1.0])
def test_a_flawless_model_and_one_that_is_always_wrong_are_drawn_too(risk: float) -> None:
    assert drawn(coverage_risk_figure(np.ones(1), np.full(1, risk), target_error=0.005, answered=1 - risk))


def test_corruptions_are_ranked_and_their_mean_is_told() -> None:
    figure = corruption_figure({"fog": 0.5, "motion_blur": 0.9})
    assert texts(figure) == ["90.00", "50.00"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["motion blur", "fog"]
    assert figure.axes[0].get_title() == "Spoilt digits (mean 70.00)"
    assert drawn(figure)


def test_a_comparison_names_every_method() -> None:
    @dataclass(frozen=True)
    class Method:
        name: str
        accuracy: float
        images_per_second: float

    figure = comparison_figure([Method("CNN", 0.99, 10_000.0), Method("SVM", 0.97, 800.0)])
    assert texts(figure) == ["CNN", "SVM"]
    assert drawn(figure)
