"""`python -m benchmarks.speed.peer NAME`: one candidate, warm and waiting; a folder a line in, its time a line out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from benchmarks.speed.candidates import CANDIDATES, Peer


@dataclass(frozen=True, slots=True)
class Run:
    """One folder, read."""

    images: int
    #: From the work given to its last result, unless the candidate's settings say otherwise.
    seconds: float
    #: Images whose label is the true one.
    right: int
    #: Seconds of work by stage, summed over the processes, where the candidate tells.
    stages: dict[str, float] = field(default_factory=dict)


#: Reads all images of a folder.
Measure: TypeAlias = Callable[[Path], Run]
#: A candidate, ready to measure within the `with`.
Opened: TypeAlias = Callable[[Peer], AbstractContextManager[Measure]]


def count_right(files: Iterable[str], labels: Iterable[int]) -> int:
    """How many labels are those of the files' class folders."""
    return sum(file.partition("/")[0] == str(label) for file, label in zip(files, labels, strict=True))


def opened(name: str) -> AbstractContextManager[Measure]:
    """A candidate by its name, ready to measure within the `with`."""
    peer = CANDIDATES[name].peer
    opener: Opened = import_module(f"benchmarks.speed.peers.{peer.module}").opened
    return opener(peer)


def main() -> None:
    """Say `ready`, then measure each folder that stdin names, until it ends."""
    # What libraries and children print goes to stderr, which is a log.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with opened(sys.argv[1]) as measure:
        print(json.dumps("ready"), file=answers)
        for line in sys.stdin:
            print(json.dumps(asdict(measure(Path(json.loads(line))))), file=answers)


if __name__ == "__main__":
    main()
