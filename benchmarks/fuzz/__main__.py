"""Fuzz decoding and preprocessing with atheris, guided by coverage: `python -m benchmarks.fuzz --runs 1000000`.

An input that raises anything but `ImageRejected`, ends the process, takes over a second or needs more memory than the
cap is a bug; it is kept as a file, and fuzzing goes on behind it.
"""

from __future__ import annotations

import argparse
import importlib
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.fuzz.seeds import seeds
from benchmarks.fuzz.tally import Tally
from benchmarks.fuzz.trial import Outcome

#: After so many bugs fuzzing ends: they want mending first.
MOST_BUGS = 20
#: Longest input, in bytes.
MAX_LENGTH = 8192
#: Seconds on the clock after which an input that does not end is killed; slow ones are told by processor time.
HANG = 10
#: Inputs that one process tries: atheris never frees the arrays that comparisons make in code that it watches, some 8 KiB
#: an input, which would be taken for a bug of that code.
RUNS_OF_A_PROCESS = 25_000
#: Name of the file that libFuzzer's words go to.
LOG = "log.txt"

_COVERAGE = re.compile(rb" cov: (\d+)")


@dataclass
class Report:
    """What a run of fuzzing found."""

    tally: Tally
    #: Files that are bugs, in the order in which they were found.
    bugs: list[Path] = field(default_factory=list)
    #: Places in the Python code of `classifier` and Pillow that were reached, as libFuzzer counts them.
    coverage: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        tally = self.tally
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        lines = [
            f"executions   {tally.executions:,} in {self.seconds:,.0f} s",
            *(f"{outcome.value:<12} {tally.of(outcome):,}" for outcome in Outcome),
            f"bugs         {len(self.bugs)}",
            *(f"             {bug}" for bug in self.bugs),
            f"slowest      {tally.slowest * 1000:.0f} ms of processor time",
            f"memory       {memory:.0f} MiB at most",
            f"coverage     {self.coverage:,} places",
        ]
        return "\n".join(lines)


def fuzz(folder: Path, *, runs: int, seconds: int, seed: int, memory: int) -> Report:
    """Fuzz until the runs or the seconds are used up.

    Args:
        folder: for the corpus, the bugs and the log; it goes on from the corpus that an earlier run left there.
        runs: inputs to try.
        seconds: seconds to stop after; 0 for no limit.
        seed: of the mutations.
        memory: cap in MiB.
    """
    corpus, bugs = folder / "corpus", folder / "bugs"
    for each in (corpus, bugs):
        each.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (corpus / name).write_bytes(data)
    known, start = _written(bugs), time.monotonic()
    report = Report(Tally.start(folder))
    for process in count():
        tried = report.tally.executions
        left = min(runs - tried, RUNS_OF_A_PROCESS)
        time_left = seconds - round(report.seconds) if seconds else 0
        if left <= 0 or (seconds and time_left <= 0) or len(report.bugs) >= MOST_BUGS:
            break
        options = (
            f"-runs={left}", f"-max_total_time={time_left}", f"-seed={seed + process}",
            f"-max_len={MAX_LENGTH}", f"-timeout={HANG}", f"-rss_limit_mb={memory}", f"-artifact_prefix={bugs}/",
        )  # fmt: skip
        ended = explore(folder, (*options, str(corpus)))
        written = _written(bugs)
        if written == known and (ended.code != 0 or report.tally.executions == tried):
            raise RuntimeError(f"The fuzzer itself failed; see the end of {folder / LOG}.")
        report.bugs += sorted(path for path, _ in written - known)
        known, report.seconds = written, time.monotonic() - start
        report.coverage = max(report.coverage, ended.coverage)
    return report


def _written(folder: Path) -> set[tuple[Path, int]]:
    """Files and when they were written: a bug that an earlier run found keeps its name."""
    return {(path, path.stat().st_mtime_ns) for path in folder.iterdir()}


class Ended(NamedTuple):
    """How a process that explored ended."""

    #: 0 where it used up its runs or its time.
    code: int
    #: Places in the code that it reached.
    coverage: int


def explore(folder: Path, options: tuple[str, ...]) -> Ended:
    """Run one process that tries inputs until it finds a bug.

    Args:
        folder: as for `fuzz`.
        options: of libFuzzer, the corpus last.
    """
    log = folder / LOG
    begins = log.stat().st_size if log.exists() else 0
    with log.open("ab") as file:
        command = [sys.executable, "-m", "benchmarks.fuzz.explore", str(folder), *options]
        code = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
    with log.open("rb") as file:
        file.seek(begins)
        covered = [int(match[1]) for line in file if (match := _COVERAGE.search(line))]
    return Ended(code, max(covered, default=0))


def main() -> int:
    """Fuzz as the arguments say; 1 where a bug was found, 2 where atheris is not installed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description="Fuzz decoding and preprocessing.")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs to try")
    parser.add_argument("--seconds", type=int, default=0, help="seconds to stop after; 0 for no limit")
    parser.add_argument("--seed", type=int, default=3, help="of the mutations")
    parser.add_argument("--memory", type=int, default=512, help="cap on a process's memory, in MiB")
    parser.add_argument("--output", type=Path, default=Path("build/fuzz"), help="folder of corpus, bugs and log")
    args = parser.parse_args()
    try:
        importlib.import_module("atheris")
    except ImportError:
        print("Fuzzing needs atheris, which `make fuzz` installs on Linux on x86-64.", file=sys.stderr)
        return 2
    report = fuzz(args.output, runs=args.runs, seconds=args.seconds, seed=args.seed, memory=args.memory)
    print(report)
    return 1 if report.bugs else 0


if __name__ == "__main__":
    sys.exit(main())
