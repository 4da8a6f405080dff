"""What a report shows of a job's results, found in one pass over them, in bounded memory."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.ledger.results import Result
from core.vocabulary import DIGITS, Verdict

#: Images shown of the worst mistakes, and of the least certain.
SHOWN_IMAGES = 24
#: Rejected images listed by name; the others are counted.
LISTED_REJECTIONS = 200
#: Bins of the confidence histogram, from 0 to 1.
BINS = 20


class _Top:
    """The results with the highest rank; of equal ones, those that came first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, int, Result]] = []
        self._count = 0

    def offer(self, rank: float, result: Result) -> None:
        self._count += 1
        entry = (rank, -self._count, result)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def results(self) -> list[Result]:
        return [result for _, _, result in sorted(self._heap, reverse=True)]


def _bins() -> NDArray[np.int64]:
    return np.zeros(BINS, np.int64)


@dataclass
class Findings:
    """What is worth showing of a job's results."""

    #: Scored images by confidence, int64, (BINS,): read right, read wrong, true label unknown.
    right: NDArray[np.int64] = field(default_factory=_bins)
    wrong: NDArray[np.int64] = field(default_factory=_bins)
    unknown: NDArray[np.int64] = field(default_factory=_bins)
    #: Scored images of one digit by predicted label, int64, (10,).
    read_as: NDArray[np.int64] = field(default_factory=lambda: np.zeros(DIGITS, np.int64))
    #: Wrong answers, the most confident first.
    mistakes: list[Result] = field(default_factory=list)
    #: Scored images, the least confident first.
    least_certain: list[Result] = field(default_factory=list)
    #: The first rejected images, in the order of the folder.
    rejected: list[Result] = field(default_factory=list)
    #: Images by what they are taken for.
    verdicts: Counter[Verdict] = field(default_factory=Counter)


def gather(results: Iterable[Result]) -> Findings:
    """Find what is worth showing."""
    findings = Findings()
    mistakes, doubts = _Top(SHOWN_IMAGES), _Top(SHOWN_IMAGES)
    for result in results:
        if result.verdict is not None:
            findings.verdicts[result.verdict] += 1
        if result.label is None or result.confidence is None:
            if len(findings.rejected) < LISTED_REJECTIONS:
                findings.rejected.append(result)
            continue
        _count(findings, result, result.label, result.confidence)
        doubts.offer(-result.confidence, result)
        if result.true_label not in (None, result.label):
            mistakes.offer(result.confidence, result)
    findings.mistakes, findings.least_certain = mistakes.results(), doubts.results()
    return findings


def _count(findings: Findings, result: Result, label: int | str, confidence: float) -> None:
    if isinstance(label, int):
        findings.read_as[label] += 1
    place = min(int(confidence * BINS), BINS - 1)
    if result.true_label is None:
        findings.unknown[place] += 1
    else:
        (findings.right if result.true_label == label else findings.wrong)[place] += 1
