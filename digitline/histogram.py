"""Plots of a job's results, each a `Figure` of its own, without global state."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from core.vocabulary import DIGITS
from digitline.findings import BINS, Findings
from training.sheet import INK, PALE, WRONG, plot


def confidence_figure(findings: Findings) -> Figure:
    """Draw how confidences are spread; right and wrong apart where the truth is known."""
    figure, axes = _bare()
    edges = np.linspace(0, 1, BINS + 1)
    # Not stacked: on a logarithmic axis the upper part would look a hundred times too large.
    for counts, colour, label in (
        (findings.unknown, PALE, "true label unknown"),
        (findings.right, INK, "right"),
    ):
        if counts.any():
            axes.stairs(counts, edges, fill=True, alpha=0.8, color=colour, label=label)
    if findings.wrong.any():
        axes.stairs(findings.wrong, edges, linewidth=1.8, color=WRONG, label="wrong")
    axes.set_yscale("symlog", linthresh=10)
    axes.set(xlim=(0, 1), xlabel="confidence", ylabel="images (logarithmic)", title="Confidence")
    axes.legend(loc="upper left")
    return figure


def digits_figure(read_as: NDArray[np.int64]) -> Figure:
    """Draw how many images were read as each digit.

    Args:
        read_as: int64, (10,).
    """
    figure, axes = _bare()
    bars = axes.bar(np.arange(DIGITS), read_as, color=INK)
    axes.bar_label(bars, fontsize=8, fmt="{:,.0f}")
    axes.set(xticks=range(DIGITS), xlabel="read as", ylabel="images", title="What was read")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.12)
    return figure


def _bare() -> tuple[Figure, Axes]:
    """A plot without a frame."""
    figure, axes = plot(6.4, 3.4)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
