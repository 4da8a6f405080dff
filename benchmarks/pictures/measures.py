"""What the readings are measured by, and what is wanted of each measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.pictures.bench import Reading, Row, share
from benchmarks.pictures.catalogue import Kind

#: Most that a stress generator may cost in accuracy, and all of them on average, in points.
WORST_LOSS, MEAN_LOSS = 1.5, 0.7
#: Least share of pictures without a digit that are turned away, and of digits that are not.
TURNED_AWAY, KEPT = 0.95, 0.98
#: Least share of several digits that are read right to the last.
SEPARATED, TOUCHING = 0.90, 0.70


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure and what is wanted of it."""

    name: str
    #: In the unit of the goal: points, or a share of 0 to 1.
    value: float
    goal: float
    #: Whether the figure is in points, and better the smaller it is.
    points: bool = False
    #: What the figure is of, where it is of one generator.
    of: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.goal if self.points else self.value >= self.goal


def measures(clean: Sequence[Reading], rows: Sequence[Row]) -> list[Measure]:
    """Measure all that can be measured of the generators that were read.

    Args:
        clean: readings of clean digits; empty where none were read.
        rows: what was read of each generator.
    """
    of_kind = {kind: [row for row in rows if row.generator.kind is kind] for kind in Kind}
    found: list[Measure] = []
    if clean:
        found.append(Measure("clean digits kept", share(reading.sure for reading in clean), KEPT))
    for measure, kind in ((_stress, Kind.STRESS), (_styles, Kind.STYLE), (_negatives, Kind.NEGATIVE)):
        if of_kind[kind]:
            found += measure(of_kind[kind])
    goals = {"separated": SEPARATED, "touching": TOUCHING}
    found += [
        Measure(f"{row.generator.name} digits all right", row.accuracy, goals[row.generator.name])
        for row in of_kind[Kind.SEVERAL]
    ]
    return found


def _stress(rows: Sequence[Row]) -> list[Measure]:
    return [
        *_losses("loss under stress", rows, _loss),
        *_losses("loss of labels, whatever the verdict", rows, lambda row: -(row.label_difference or 0.0)),
        Measure("digits kept under stress", _mean(lambda row: row.sure, rows), KEPT),
    ]


def _losses(name: str, rows: Sequence[Row], loss: Callable[[Row], float]) -> list[Measure]:
    worst = max(rows, key=loss)
    return [
        Measure(f"worst {name}", loss(worst), WORST_LOSS, points=True, of=worst.generator.name),
        Measure(f"mean {name}", _mean(loss, rows), MEAN_LOSS, points=True),
    ]


def _styles(rows: Sequence[Row]) -> list[Measure]:
    worst = max(rows, key=_loss)
    return [Measure("worst loss of a style", _loss(worst), WORST_LOSS, points=True, of=worst.generator.name)]


def _negatives(rows: Sequence[Row]) -> list[Measure]:
    worst = min(rows, key=lambda row: row.accuracy)
    return [
        Measure("no digits, turned away", _mean(lambda row: row.accuracy, rows), TURNED_AWAY),
        Measure("no digits, turned away least", worst.accuracy, TURNED_AWAY, of=worst.generator.name),
    ]


def _loss(row: Row) -> float:
    return -(row.difference or 0.0)


def _mean(figure: Callable[[Row], float], rows: Sequence[Row]) -> float:
    return float(np.mean([figure(row) for row in rows]))
