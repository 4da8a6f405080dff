"""Plots show what they are given, and a page needs nothing but itself."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.evaluate import score_matrix
from training.report import (
    comparison_figure,
    confidence_figure,
    confusion_figure,
    evaluation_page,
    mistakes_figure,
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


@pytest.mark.parametrize("known", [True, False])
def test_confidences_are_drawn_with_and_without_the_truth(known: bool) -> None:
    confidences = np.array([0.1, 0.9, 0.99, 1.0], np.float32)
    figure = confidence_figure(confidences, np.array([False, True, True, True]) if known else None)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert {text.get_text() for text in legend.get_texts()} == ({"right", "wrong"} if known else {"scored"})
    assert drawn(figure)


def test_reliability_and_training_are_drawn() -> None:
    assert drawn(reliability_figure(np.array([0.3, 0.9, 1.0], np.float32), np.array([False, True, True])))
    history = {name: [0.5, 0.1] for name in ("loss", "accuracy", "validation_loss", "validation_accuracy")}
    assert drawn(training_figure(history))


def test_mistakes_come_the_most_confident_first() -> None:
    images = np.zeros((4, 28, 28), np.uint8)
    figure = mistakes_figure(
        images, np.array([1, 2, 3, 4]), np.array([1, 7, 8, 9]), np.array([0.9, 0.5, 0.8, 0.6], np.float32)
    )
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["3 read as 8\n80%", "4 read as 9\n60%", "2 read as 7\n50%"]
    assert drawn(figure)


def test_no_mistakes_are_said_to_be_none() -> None:
    labels = np.array([1])
    figure = mistakes_figure(np.zeros((1, 28, 28), np.uint8), labels, labels, np.ones(1, np.float32))
    assert figure.get_suptitle() == "No mistakes"


def test_a_comparison_names_every_method() -> None:
    @dataclass(frozen=True)
    class Method:
        name: str
        accuracy: float
        images_per_second: float

    figure = comparison_figure([Method("CNN", 0.99, 10_000.0), Method("SVM", 0.97, 800.0)])
    assert texts(figure) == ["CNN", "SVM"]
    assert drawn(figure)


def test_a_page_is_self_contained_and_escapes_what_it_is_given() -> None:
    page = evaluation_page(score_matrix(MATRIX), title="<script>", facts={"Model": "a & b"})
    assert "<script" not in page
    assert "a &amp; b" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("data:image/png") == 1
    assert "97.22%" in page
