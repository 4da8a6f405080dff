"""The speeds as bars on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Page
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from benchmarks.speed.candidates import Work
from benchmarks.speed.figures import Figure

_INK = "#1f4e79"
_PALE = "#9db8d2"
_DOTS_PER_INCH = 110


def write_chart(found: Sequence[Figure], path: Path) -> None:
    """Draw the figures of each work in a plot of its own: bars of medians, lines from the lowest to the highest.

    Raises:
        OSError: the file cannot be written.
    """
    of_work = [(work, [figure for figure in found if figure.work is work]) for work in Work]
    shown = [(work, rows) for work, rows in of_work if rows]
    heights = [1 + len(rows) for _, rows in shown]
    page = Page(figsize=(7.0, 0.5 + 0.32 * sum(heights)), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(page)
    plots = page.subplots(len(shown), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, (work, rows) in zip(plots, shown, strict=True):
        _draw(axes, work, rows)
    plots[-1].set_xlabel("images a second (logarithmic)")
    page.savefig(path)


def _draw(axes: Axes, work: Work, rows: Sequence[Figure]) -> None:
    ranked = sorted(rows, key=lambda figure: figure.rate, reverse=True)
    colours = [_INK if figure.candidate.startswith("line") else _PALE for figure in ranked]
    names = [figure.candidate for figure in ranked]
    sns.barplot(x=[figure.rate for figure in ranked], y=names, hue=names, palette=colours, legend=False, ax=axes)
    lowest = min(min(figure.rates) for figure in ranked)
    highest = max(max(figure.rates) for figure in ranked)
    for row, figure in enumerate(ranked):
        axes.plot([min(figure.rates), max(figure.rates)], [row, row], color="black", linewidth=1.5)
        axes.text(max(figure.rates) * 1.06, row, f"{figure.rate:,.0f}", va="center", fontsize=8)
    axes.set(xscale="log", xlim=(lowest / 2, highest * 2), xlabel="", ylabel="", title=work.capitalize())
    # As plain numbers, of which few enough are named that they do not run into each other.
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
