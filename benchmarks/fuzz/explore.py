"""The process that atheris drives: it tries inputs until the runs are used up, or until one of them is a bug.

Started by `benchmarks.fuzz`, one process a bug, with a folder and libFuzzer's options as arguments.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import atheris
import cv2
import numpy as np

# Code is measured only if it is imported here for the first time.
with atheris.instrument_imports(include=["classifier", "PIL"]):
    from benchmarks.fuzz.mutations import mended, mutated
    from benchmarks.fuzz.seeds import seeds
    from benchmarks.fuzz.tally import SLOWEST, Tally
    from benchmarks.fuzz.trial import attempt

#: Most seconds of processor time that one input may take; time on the clock would accuse a busy machine.
LIMIT = 1.0


class TooSlow(Exception):
    """An input takes longer than it may."""


class Explorer:
    """Tries inputs, counts what becomes of them, and keeps the slowest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tally = Tally.open(folder)
        self._seeds = list(seeds().values())

    def try_input(self, data: bytes) -> None:
        """Try one input.

        Raises:
            TooSlow: it took longer than `LIMIT`.
            Exception: whatever the code that is tried raises.
        """
        self._tally.begin()
        start = time.process_time_ns()
        outcome = attempt(data)
        taken = time.process_time_ns() - start
        if self._tally.end(outcome, taken):
            (self._folder / SLOWEST).write_bytes(data)
        if taken > LIMIT * 1e9:
            raise TooSlow(f"{taken / 1e9:.2f} s")

    def mutate(self, data: bytes, longest: int, seed: int) -> bytes:
        """Spoil an input: half of the time as libFuzzer does, with checksums mended or not, else in ways of our own."""
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return mutated(data, self._seeds, rng)[:longest]
        spoilt = bytes(atheris.Mutate(data, longest))
        return mended(spoilt) if rng.random() < 0.5 else spoilt


def main() -> None:
    """Hand over to libFuzzer, which ends the process itself."""
    cv2.setNumThreads(1)
    np.seterr(all="raise")
    program, folder, *options = sys.argv
    explorer = Explorer(Path(folder))
    atheris.Setup([program, *options], explorer.try_input, custom_mutator=explorer.mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
