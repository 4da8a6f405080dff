"""Comparisons of two models on reviewed images, each in a process of its own, so that a page need not wait for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

from core.errors import DigitlineError
from core.ledger.shadows import Comparison, Difference, Disagreement

#: Comparisons that are kept; one is asked for anew once more was reviewed.
_KEPT = 8
#: Differing images that are shown at most.
SHOWN = 24

#: What is compared: numbers of model and job, reviewed images so far, and the model in production.
Question = tuple[int, int | None, int, int]
#: A comparison, how many images one of the two learned from, and how many are missing.
Answer = tuple[Comparison, int, int]


class Contests:
    """Comparisons that run or were made; one runs at a time, for it takes a whole core."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="contest")
        self._made: OrderedDict[Question, Future[Answer]] = OrderedDict()
        self._lock = Lock()

    def ask(self, question: Question) -> Answer | None:
        """The comparison; None while it runs.

        Raises:
            DigitlineError: it failed; asked again, it is tried again.
        """
        with self._lock:
            made = self._made.get(question)
            if made is None:
                made = self._made[question] = self._pool.submit(_compare, question)
                while len(self._made) > _KEPT:
                    self._made.popitem(last=False)[1].cancel()
            if not made.done():
                return None
            if made.cancelled() or made.exception() is not None:
                del self._made[question]
        return made.result()


def _compare(question: Question) -> Answer:
    model, job, _, _ = question
    command = [sys.executable, "-P", "-m", "digitline", "models", "compare", str(model), "--on-corrections"]
    of_job = [] if job is None else ["--job", str(job)]
    ended = subprocess.run(
        [*command, *of_job, "--show", str(SHOWN), "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        raise DigitlineError(f"The models could not be compared: {said[-1] if said else 'no reason is known.'}")
    return _answer(json.loads(ended.stdout))


def _answer(found: Mapping[str, Any]) -> Answer:
    counts = {name: found[name] for name in ("images", "alike", "labelled", "production_right", "challenger_right")}
    comparison = Comparison(
        **counts,
        differences=tuple(Difference(**one) for one in found["differences"]),
        disagreements=tuple(Disagreement(**one) for one in found["disagreements"]),
    )
    return comparison, found["learned"], len(found["missing"])
