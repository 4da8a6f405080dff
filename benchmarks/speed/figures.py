"""What the turns come to: medians with their spread, and the ratios that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.speed.candidates import Work
from benchmarks.speed.rounds import Turn


@dataclass(frozen=True, slots=True)
class Figure:
    """A candidate's speed at one work."""

    candidate: str
    work: Work
    #: Images in its folder, and those of them whose label was the true one.
    images: int
    right: int
    #: Images a second, one figure a round.
    rates: Sequence[float]
    #: Greatest share of the machine's processor time, 0 to 1, that was used while the candidate waited.
    idle_load: float
    #: Median seconds from its start until it was warm.
    warm_after: float
    #: Median seconds of work by stage, summed over its processes, where it tells.
    stages: dict[str, float]

    @property
    def rate(self) -> float:
        """Images a second, the median of the rounds."""
        return median(self.rates)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A candidate's speed by another's."""

    faster: str
    slower: str
    work: Work
    #: Ratio of the medians, and the least and the greatest ratio of one round.
    value: float
    lowest: float
    highest: float
    #: Least value that is wanted; None: it is for information.
    target: float | None

    @property
    def name(self) -> str:
        """As the bench prints it."""
        of = "" if self.work is Work.DIGITS else f"{self.work}:"
        return f"{of}{self.faster}/{self.slower}"

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.target is None else self.value >= self.target


#: Least ratio of the first candidate's speed to the second's.
_TARGETS = {
    ("line-postgresql", "roofline"): 0.90,
    ("line-sqlite", "roofline"): 0.90,
    ("line-postgresql", "tutorial"): 15.0,
    ("line-sqlite", "tutorial"): 15.0,
    ("line-postgresql", "ray-data"): 2.0,
    ("line-sqlite", "ray-data"): 2.0,
    ("line-postgresql", "naive"): 200.0,
    ("line-sqlite", "naive"): 200.0,
    ("line-sqlite", "line-one-process"): 1.85,
    ("line-flower", "line-sqlite"): 0.97,
    ("line-sqlite", "joblib"): None,
    ("line-sqlite", "tensorflow-data"): None,
}
#: The one whose target holds for every work; the others are of small digits, where the work around them weighs most.
_ROOFLINE = "roofline"


def figures(turns: Sequence[Turn]) -> list[Figure]:
    """A figure for each candidate and work, in the order in which they came first."""
    grouped: dict[tuple[str, Work], list[Turn]] = {}
    for turn in turns:
        grouped.setdefault((turn.candidate, turn.work), []).append(turn)
    return [_figure(group) for group in grouped.values()]


def ratios(found: Sequence[Figure]) -> list[Ratio]:
    """The ratios of all figures that were measured, small digits first."""
    of = {(figure.work, figure.candidate): figure for figure in found}
    return [
        _ratio(of[work, faster], of[work, slower], target if work is Work.DIGITS or slower == _ROOFLINE else None)
        for work in Work
        for (faster, slower), target in _TARGETS.items()
        if (work, faster) in of and (work, slower) in of
    ]


def _figure(turns: Sequence[Turn]) -> Figure:
    runs = [run for turn in turns for run in turn.runs]
    stages = {name: median(run.stages[name] for run in runs) for name in runs[0].stages}
    return Figure(
        candidate=turns[0].candidate,
        work=turns[0].work,
        images=runs[0].images,
        right=runs[0].right,
        rates=[turn.rate for turn in turns],
        idle_load=max(turn.idle_load for turn in turns),
        warm_after=median(turn.warm_after for turn in turns),
        stages=stages,
    )


def _ratio(faster: Figure, slower: Figure, target: float | None) -> Ratio:
    by_round = [one / other for one, other in zip(faster.rates, slower.rates, strict=True)]
    value = faster.rate / slower.rate
    return Ratio(faster.candidate, slower.candidate, faster.work, value, min(by_round), max(by_round), target)
