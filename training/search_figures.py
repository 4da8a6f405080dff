"""Plots of a search: how it went on, and which choices mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.sheet import INK, PALE, plot
from training.tune import Trial

#: Inches.
_SIZE = (6.4, 4.0)


def history_figure(trials: Sequence[Trial]) -> Figure:
    """Draw the errors of all trials in the order they were made, and the best so far.

    Args:
        trials: finished ones, at least one.
    """
    figure, axes = plot(*_SIZE)
    ordered = sorted(trials, key=lambda trial: trial.number)
    for state, colour, label in (("pruned", PALE, "ended early"), ("complete", INK, "complete")):
        chosen = [trial for trial in ordered if trial.state == state]
        if chosen:
            axes.scatter([trial.number for trial in chosen], _wrong(chosen), color=colour, label=label)
    complete = [trial for trial in ordered if trial.state == "complete"]
    if complete:
        best = np.minimum.accumulate(_wrong(complete))
        axes.step([trial.number for trial in complete], best, where="post", color=INK, label="best so far")
    axes.set(xlabel="trial", ylabel="wrong, per cent", title="Trials")
    wrong = _wrong(trials)
    if max(wrong) > 10 * min(wrong) > 0:
        # A training that went astray would press all others flat.
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


def importance_figure(shares: Mapping[str, float], *, trials: int) -> Figure:
    """Draw how much each choice mattered.

    Args:
        shares: as `training.tune.importance` returns them; not empty.
        trials: complete ones that they rest on.
    """
    figure, axes = plot(*_SIZE)
    names = [name.replace("_", " ") for name in shares]
    sns.barplot(x=list(shares.values()), y=names, color=INK, ax=axes)
    axes.set(
        xlim=(0, 1), xlabel="share of the accuracy's variation", ylabel="", title=f"Importance, of {trials} trials"
    )
    return figure


def write_figures(trials: Sequence[Trial], shares: Mapping[str, float], folder: Path) -> list[Path]:
    """Write `history` and, where there are shares, `importance`, both as `.png` and `.svg`.

    Returns:
        The files.

    Raises:
        OSError: the folder cannot be written to.
    """
    figures = {}
    if trials:
        figures["history"] = history_figure(trials)
    if shares:
        complete = sum(trial.state == "complete" for trial in trials)
        figures["importance"] = importance_figure(shares, trials=complete)
    files = []
    for name, figure in figures.items():
        for ending in ("png", "svg"):
            files.append(folder / f"{name}.{ending}")
            figure.savefig(files[-1])
    return files


def _wrong(trials: Sequence[Trial]) -> list[float]:
    """Errors in per cent."""
    return [100 * (1 - trial.validation_accuracy) for trial in trials]
