"""Count what fuzzing did, in a file that outlives the process, however that ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.fuzz.trial import Outcome

#: Names of the files in the folder: the counts, and the slowest input.
_COUNTS = "counts"
SLOWEST = "slowest"

_PLACES = {outcome: place for place, outcome in enumerate(Outcome)}
_BEGUN = len(_PLACES)
_SLOWEST = _BEGUN + 1


@dataclass(slots=True)
class Tally:
    """Counts in a memory map, so that neither a crash nor a kill loses one."""

    #: int64, (outcomes + 2,): inputs by outcome, inputs begun, nanoseconds of the slowest.
    counts: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the counts of a folder and go on counting."""
        return cls(np.memmap(folder / _COUNTS, np.int64, "r+", shape=(_SLOWEST + 1,)))

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Open the counts of a folder at 0."""
        return cls(np.memmap(folder / _COUNTS, np.int64, "w+", shape=(_SLOWEST + 1,)))

    def begin(self) -> None:
        """Count an input that is about to be tried."""
        self.counts[_BEGUN] += 1

    def end(self, outcome: Outcome, taken: int) -> bool:
        """Count an input that was tried.

        Args:
            outcome: what became of it.
            taken: nanoseconds of processor time.

        Returns:
            True where none was slower.
        """
        self.counts[_PLACES[outcome]] += 1
        if taken <= self.counts[_SLOWEST]:
            return False
        self.counts[_SLOWEST] = taken
        return True

    @property
    def executions(self) -> int:
        """Inputs that were tried, those that were bugs too."""
        return int(self.counts[_BEGUN])

    @property
    def slowest(self) -> float:
        """Seconds of processor time that the slowest input took."""
        return float(self.counts[_SLOWEST]) / 1e9

    def of(self, outcome: Outcome) -> int:
        """Inputs that ended so."""
        return int(self.counts[_PLACES[outcome]])
