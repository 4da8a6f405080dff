"""The findings as a table for people and as an object for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from benchmarks.speed.candidates import CANDIDATES
from benchmarks.speed.figures import Figure, Ratio
from benchmarks.speed.machine import facts
from benchmarks.speed.work import SENTENCES
from digitline.cli.screen import percent, table

#: Share of the machine's processor time above which it was too busy with something else to trust the figures.
BUSY = 0.05


def print_findings(console: Console, found: Sequence[Figure], ratios: Sequence[Ratio]) -> None:
    """Print one line a ratio, then a table of the figures."""
    for ratio in ratios:
        target = "none" if ratio.target is None else f"{ratio.target:g}"
        spread = f"({ratio.lowest:.3g} to {ratio.highest:.3g})"
        console.print(f"ratio {ratio.name} {ratio.value:.3f} target {target} {spread}")
    console.print()
    columns = ("work", "candidate", "images", "images/s", "lowest", "highest", "right", "warm after", "idle load")
    console.print(table(columns, map(_line, found), numbers=columns[2:]))
    if any(figure.idle_load > BUSY for figure in found):
        console.print("\nThe machine was busy with something else: do not trust these figures.")


def as_record(found: Sequence[Figure], ratios: Sequence[Ratio], repetitions: int) -> dict[str, object]:
    """The findings as an object: `machine`, `works`, `candidates`, `repetitions`, `ratios` and `figures`."""
    names = dict.fromkeys(figure.candidate for figure in found)
    return {
        "machine": facts(),
        "repetitions": repetitions,
        "works": {work: SENTENCES[work] for work in dict.fromkeys(figure.work for figure in found)},
        "candidates": {
            name: {"module": CANDIDATES[name].peer.module, **asdict(CANDIDATES[name].peer)} for name in names
        },
        "ratios": [{"name": ratio.name, **asdict(ratio), "met": ratio.met} for ratio in ratios],
        "figures": [{**asdict(figure), "rate": figure.rate} for figure in found],
    }


def _line(figure: Figure) -> tuple[str, ...]:
    return (
        figure.work,
        figure.candidate,
        f"{figure.images:,}",
        _rate(figure.rate),
        _rate(min(figure.rates)),
        _rate(max(figure.rates)),
        percent(figure.right / figure.images),
        f"{figure.warm_after:.1f} s",
        percent(figure.idle_load, 0),
    )


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"
