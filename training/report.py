"""Plots that show how good a model is; every plot is a `Figure` of its own, without global state."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.calibrate import BINS, reliability, share_interval
from training.sheet import DOTS_PER_INCH, INK, PALE, WRONG, plot, sheet

if TYPE_CHECKING:  # plots need no TensorFlow
    from training.compare import Row


def confusion_figure(matrix: NDArray[np.int64]) -> Figure:
    """Draw a confusion matrix; colours show shares of the true digit, numbers show images.

    Args:
        matrix: int64, (10, 10), rows actual, columns predicted.
    """
    figure, axes = plot(6.4, 5.6)
    whole = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # The diagonal would drown every mistake on a linear scale.
    sns.heatmap(
        np.sqrt(matrix / whole), annot=matrix, fmt="d", cmap="Blues", cbar=False, square=True, linewidths=0.5, ax=axes
    )
    axes.set(xlabel="predicted digit", ylabel="actual digit", title="Confusion matrix (images)")
    axes.tick_params(rotation=0)
    return figure


def confidence_figure(confidences: NDArray[np.float32], correct: NDArray[np.bool_]) -> Figure:
    """Draw how confidences are spread, right and wrong apart.

    Args:
        confidences: float32, (n,), 0 to 1.
        correct: bool, (n,).
    """
    figure, axes = plot(6.4, 3.6)
    edges = np.linspace(0, 1, 41).tolist()
    # Not stacked: on a logarithmic axis the upper part would look a hundred times too large.
    axes.hist(confidences[correct], edges, color=PALE, label="right")
    axes.hist(confidences[~correct], edges, histtype="step", linewidth=1.8, color=WRONG, label="wrong")
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
    figure, axes = plot(6.4, 5.0)
    sure, right, count = reliability(confidences, correct)
    filled = np.flatnonzero(count)
    ends = np.array([share_interval(round(right[place] * count[place]), int(count[place])) for place in filled]).T
    middles = (filled + 0.5) / BINS
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--", label="calibrated")
    axes.bar(middles, right[filled], 0.9 / BINS, color=PALE, label="share right")
    axes.vlines(sure[filled], *ends, color=INK, linewidth=1, label="95 % interval")
    axes.scatter(sure[filled], right[filled], color=INK, s=20, zorder=3, label="mean confidence")
    for middle, place in zip(middles, filled, strict=True):
        axes.text(middle, 0.015, f"{count[place]:,}", ha="center", va="bottom", rotation=90, fontsize=8)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="share right", title="Reliability (images a bar)")
    axes.legend(loc="upper left")
    return figure


def training_figure(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draw loss and accuracy by epoch.

    Args:
        history: values by epoch, named `loss`, `validation_loss`, `accuracy`, `validation_accuracy`.
    """
    figure = sheet(9.0, 3.6)
    loss, wrong = figure.subplots(1, 2)
    epochs = np.arange(1, len(history["loss"]) + 1)
    for prefix, colour, label in (("", PALE, "training (varied digits)"), ("validation_", INK, "validation")):
        loss.plot(epochs, history[f"{prefix}loss"], color=colour, label=label)
        errors = 100 * (1 - np.asarray(history[f"{prefix}accuracy"]))
        wrong.plot(epochs, errors, color=colour, label=label)
    loss.set(xlabel="epoch", ylabel="loss", title="Loss", yscale="log")
    wrong.set(xlabel="epoch", ylabel="wrong, per cent", title="Errors", yscale="log")
    wrong.legend()
    return figure


def coverage_risk_figure(
    coverage: NDArray[np.float64], risk: NDArray[np.float64], *, target_error: float, answered: float
) -> Figure:
    """Draw how many labels are wrong among the surest ones, by the share of images that is answered.

    Args:
        coverage: float64, (n,), ascending to 1; n at least 1.
        risk: float64, (n,), 0 to 1.
        target_error: share of wrong labels that is borne.
        answered: share of the images whose label counts as sure for it.
    """
    figure, axes = plot(6.4, 3.6)
    axes.plot(100 * coverage, 100 * risk, color=INK, label="wrong among the surest")
    axes.axhline(100 * target_error, color=WRONG, linewidth=1, linestyle="--", label=f"target {target_error:.2%}")
    axes.axvline(100 * answered, color="grey", linewidth=1, linestyle=":", label=f"sure: {answered:.2%} of the images")
    # A good model is flawless over most of the range; what there is to see is at the right end.
    shown = min(float(coverage[np.argmax(risk > 0)]), answered) if risk.any() else answered
    axes.set_xlim(100 * max(0.0, 1 - 1.25 * max(1 - shown, 0.01)), 100)
    axes.set_ylim(0, 115 * max(float(risk.max()), target_error))
    axes.set(xlabel="images answered, per cent", ylabel="wrong, per cent", title="Coverage and risk")
    axes.legend(loc="best")
    return figure


def corruption_figure(accuracies: Mapping[str, float]) -> Figure:
    """Draw how many digits are read right when they are spoilt, the worst corruption last.

    Args:
        accuracies: 0 to 1, by the name of the corruption; not empty.
    """
    figure, axes = plot(6.4, 0.9 + 0.42 * len(accuracies))
    ranked = sorted(accuracies, key=lambda name: accuracies[name], reverse=True)
    shares = [100 * accuracies[name] for name in ranked]
    mean = sum(shares) / len(shares)
    sns.barplot(x=shares, y=[name.replace("_", " ") for name in ranked], color=PALE, ax=axes)
    for row, share in enumerate(shares):
        axes.text(share + 1, row, f"{share:.2f}", va="center")
    axes.axvline(mean, color=INK, linewidth=1, linestyle="--", zorder=0)
    axes.set(xlim=(0, 115), xticks=range(0, 101, 20), xlabel="read right, per cent", ylabel="")
    axes.set_title(f"Spoilt digits (mean {mean:.2f})")
    return figure


def comparison_figure(rows: Sequence[Row]) -> Figure:
    """Draw methods by their speed and their errors; best is right and low.

    Args:
        rows: as `training.compare.compare` returns them.
    """
    figure, axes = plot(6.4, 4.0)
    speeds = [row.images_per_second for row in rows]
    wrong = [100 * (1 - row.accuracy) for row in rows]
    axes.scatter(speeds, wrong, color=INK, s=50)
    for row, speed, share in zip(rows, speeds, wrong, strict=True):
        axes.annotate(row.name, (speed, share), xytext=(6, 6), textcoords="offset points")
    axes.set(xscale="log", xlabel="images a second (one process)", ylabel="wrong, per cent", title="Methods compared")
    axes.margins(0.2)
    axes.set_ylim(bottom=0)
    return figure


def png_data_url(figure: Figure) -> str:
    """Draw a figure into a `data:` URL, so that a page needs no other file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
