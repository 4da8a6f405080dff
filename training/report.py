"""Plots and pages that show how good a model is; every plot is a `Figure` of its own, without global state."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import seaborn as sns
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from classifier.preprocess import Image
from core.vocabulary import DIGITS
from training.calibrate import BINS, reliability
from training.evaluate import Evaluation

_INK = "#1f4e79"
_WRONG = "#b3402a"
_PALE = "#9db8d2"
_DOTS_PER_INCH = 110


class Compared(Protocol):
    """What a row of a comparison tells; `training.compare.Row` does."""

    @property
    def name(self) -> str:
        """The method."""

    @property
    def accuracy(self) -> float:
        """Share of right labels, 0 to 1."""

    @property
    def images_per_second(self) -> float:
        """Images read in one process."""


def confusion_figure(matrix: NDArray[np.int64]) -> Figure:
    """Draw a confusion matrix; colours show shares of the true digit, numbers show images.

    Args:
        matrix: int64, (10, 10), rows actual, columns predicted.
    """
    figure, axes = _page(6.4, 5.6)
    whole = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # The diagonal would drown every mistake on a linear scale.
    sns.heatmap(
        np.sqrt(matrix / whole), annot=matrix, fmt="d", cmap="Blues", cbar=False, square=True, linewidths=0.5, ax=axes
    )
    axes.set(xlabel="predicted digit", ylabel="actual digit", title="Confusion matrix (images)")
    axes.tick_params(rotation=0)
    return figure


def confidence_figure(confidences: NDArray[np.float32], correct: NDArray[np.bool_] | None) -> Figure:
    """Draw how confidences are spread, right and wrong apart where the truth is known.

    Args:
        confidences: float32, (n,), 0 to 1.
        correct: bool, (n,), or None.
    """
    figure, axes = _page(6.4, 3.6)
    edges = np.linspace(0, 1, 41).tolist()
    if correct is None:
        axes.hist(confidences, edges, color=_INK, label="scored")
    else:
        # Not stacked: on a logarithmic axis the upper part would look a hundred times too large.
        axes.hist(confidences[correct], edges, color=_PALE, label="right")
        axes.hist(confidences[~correct], edges, histtype="step", linewidth=1.8, color=_WRONG, label="wrong")
    axes.set_yscale("symlog", linthresh=10)
    axes.set(xlim=(0, 1), xlabel="confidence", ylabel="images (logarithmic)", title="Confidence")
    axes.legend(loc="upper left")
    return figure


def reliability_figure(confidences: NDArray[np.float32], correct: NDArray[np.bool_]) -> Figure:
    """Draw how often labels of a confidence are right; a calibrated model keeps to the diagonal.

    Args:
        confidences: float32, (n,), 0 to 1; n at least 1.
        correct: bool, (n,).
    """
    figure, axes = _page(5.2, 5.0)
    sure, right, count = reliability(confidences, correct)
    filled = count > 0
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--", label="calibrated")
    axes.bar((np.arange(BINS)[filled] + 0.5) / BINS, right[filled], 0.9 / BINS, color=_PALE, label="right, share")
    axes.plot(sure[filled], right[filled], color=_INK, marker="o", markersize=4, label="bin means")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="share right", title="Reliability")
    axes.legend(loc="upper left")
    return figure


def training_figure(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draw loss and accuracy by epoch.

    Args:
        history: values by epoch, named `loss`, `validation_loss`, `accuracy`, `validation_accuracy`.
    """
    figure = Figure(figsize=(9.0, 3.6), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    loss, wrong = figure.subplots(1, 2)
    epochs = np.arange(1, len(history["loss"]) + 1)
    for prefix, colour, label in (("", _PALE, "training (varied digits)"), ("validation_", _INK, "validation")):
        loss.plot(epochs, history[f"{prefix}loss"], color=colour, label=label)
        errors = 100 * (1 - np.asarray(history[f"{prefix}accuracy"]))
        wrong.plot(epochs, errors, color=colour, label=label)
    loss.set(xlabel="epoch", ylabel="loss", title="Loss", yscale="log")
    wrong.set(xlabel="epoch", ylabel="wrong, per cent", title="Errors", yscale="log")
    wrong.legend()
    return figure


def mistakes_figure(
    images: Image, true: NDArray[np.int64], predicted: NDArray[np.int64], confidence: NDArray[np.float32]
) -> Figure:
    """Draw mistakes, the most confident first; up to 40.

    Args:
        images: uint8, (n, 28, 28).
        true: int64, (n,).
        predicted: int64, (n,).
        confidence: float32, (n,), 0 to 1.
    """
    wrong = np.flatnonzero(true != predicted)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:40]
    columns = 10
    rows = max(1, -(-len(shown) // columns))
    figure = Figure(figsize=(columns, 1.35 * rows + 0.5), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    figure.suptitle(f"{len(wrong)} mistakes" if len(wrong) else "No mistakes")
    places = figure.subplots(rows, columns, squeeze=False).flat
    for axes in places:
        axes.set_axis_off()
    for axes, index in zip(figure.axes, shown, strict=False):
        axes.imshow(images[index], cmap="gray_r", vmin=0, vmax=255)
        axes.set_title(f"{true[index]} read as {predicted[index]}\n{confidence[index]:.0%}", fontsize=8)
    return figure


def comparison_figure(rows: Sequence[Compared]) -> Figure:
    """Draw methods by their speed and their errors; best is right and low.

    Args:
        rows: as `training.compare.compare` returns them.
    """
    figure, axes = _page(6.4, 4.0)
    speeds = [row.images_per_second for row in rows]
    wrong = [100 * (1 - row.accuracy) for row in rows]
    axes.scatter(speeds, wrong, color=_INK, s=50)
    for row, speed, share in zip(rows, speeds, wrong, strict=True):
        axes.annotate(row.name, (speed, share), xytext=(6, 6), textcoords="offset points")
    axes.set(xscale="log", xlabel="images a second (one process)", ylabel="wrong, per cent", title="Methods compared")
    axes.margins(0.2)
    axes.set_ylim(bottom=0)
    return figure


def png_data_url(figure: Figure) -> str:
    """Draw a figure into a `data:` URL, so that a page needs no other file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def evaluation_page(
    evaluation: Evaluation,
    *,
    title: str = "Evaluation",
    facts: Mapping[str, str] | None = None,
    figures: Mapping[str, Figure] | None = None,
) -> str:
    """Make one self-contained HTML page of an evaluation.

    Args:
        evaluation: what the page is of.
        title: heading of the page.
        facts: further lines of the summary, by name: model, data, date.
        figures: further plots by caption, below the confusion matrix.

    Returns:
        HTML that loads nothing from anywhere.
    """
    drawn = {"Rows are true digits, columns predicted ones.": confusion_figure(evaluation.confusion_matrix)}
    drawn.update(figures or {})
    return _PAGES.get_template("evaluation.html").render(
        title=title,
        facts=facts or {},
        evaluation=evaluation,
        digits=range(DIGITS),
        plots={caption: png_data_url(figure) for caption, figure in drawn.items()},
    )


def _page(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure of one plot, its size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


_PAGES = Environment(loader=PackageLoader("training"), autoescape=select_autoescape(), trim_blocks=True)
