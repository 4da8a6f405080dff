"""What is told of a batch once it is recorded: a line that a person reads in Flower and in the log."""

from __future__ import annotations

from core.plain import printable
from core.vocabulary import Outcome, Reason, Rejection

#: Images that are named; the others are counted.
_NAMED = 3
#: Characters of an image's path and of its reason that are shown.
_SHOWN = 120


def tell(outcome: Outcome, seconds: float) -> str:
    """Say what came out of a batch, how long it took, and which images were not scored and why.

    Args:
        outcome: of the batch.
        seconds: that it took.
    """
    counts = f"{outcome}, {seconds:.2f} s"
    if not outcome.rejections:
        return counts
    worst_first = sorted(outcome.rejections, key=lambda one: (one.reason is not Reason.QUARANTINED, one.position))
    named = " ".join(map(_name, worst_first[:_NAMED]))
    more = len(worst_first) - _NAMED
    return f"{counts}. {named}" + (f" And {more} more." if more > 0 else "")


def _name(rejection: Rejection) -> str:
    return f"{_cut(printable(rejection.path))}: {_cut(rejection.message)}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
