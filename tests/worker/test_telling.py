"""What is told of a batch: what came out, and which images were not scored and why."""

from __future__ import annotations

from core.vocabulary import Outcome, Prediction, Reason, Rejection, Verdict
from worker.telling import tell

SCORED = Prediction(0, "0.png", "0" * 64, 7, 0.99, 0.98, Verdict.DIGIT)


def refused(position: int, path: str, reason: Reason = Reason.TRUNCATED, message: str = "It ends early.") -> Rejection:
    return Rejection(position, path, reason, message)


def test_a_batch_that_is_scored_is_told_in_few_words() -> None:
    assert tell(Outcome([SCORED] * 3, [], []), 0.174) == "3 scored, 0.17 s"


def test_images_that_were_not_scored_are_named_the_quarantined_ones_first() -> None:
    rejections = [refused(1, "b.png"), refused(2, "c.png", Reason.QUARANTINED, "It ended its process.")]
    told = tell(Outcome([SCORED], rejections, []), 1.0)
    assert told == "1 scored, 1 rejected, 1 quarantined, 1.00 s. c.png: It ended its process. b.png: It ends early."


def test_of_many_images_the_first_are_named_and_the_line_stays_short() -> None:
    long = "folder/" * 100
    told = tell(
        Outcome([], [refused(number, f"{number}{long}", message="No. " * 100) for number in range(500)], []), 1.0
    )
    assert told.startswith(f"0 scored, 500 rejected, 1.00 s. 0{long[:119]}...: No. ")
    assert told.endswith(" And 497 more.")
    assert len(told) < 1000


def test_a_name_reaches_no_terminal_raw() -> None:
    told = tell(Outcome([], [refused(0, "a\n\x1b[2J\udce9b.png")], []), 1.0)
    assert r"a\n\x1b[2J\udce9b.png: It ends early." in told
    assert told.isprintable()
