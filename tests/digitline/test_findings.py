"""What a report picks out of a job's results."""

from __future__ import annotations

from core.ledger.results import Result
from core.vocabulary import Digit, Reason, Verdict
from digitline.findings import LISTED_REJECTIONS, SHOWN_IMAGES, gather


def _scored(path: str, confidence: float, true_label: int | None, label: int = 1) -> Result:
    verdict = Verdict.DIGIT if confidence >= 0.8 else Verdict.UNCERTAIN
    return Result(path, "scored", label, confidence, 0.0, verdict, true_label)


def test_the_worst_mistakes_are_the_most_confident_ones() -> None:
    results = [
        _scored("sure", 0.99, 2),
        _scored("right", 1.0, 1),
        _scored("unsure", 0.4, 2),
        _scored("unknown", 1.0, None),
    ]
    assert [result.path for result in gather(results).mistakes] == ["sure", "unsure"]


def test_of_equally_confident_mistakes_the_first_ones_are_shown() -> None:
    results = [_scored(str(number), 0.9, 2) for number in range(SHOWN_IMAGES + 10)]
    assert [result.path for result in gather(results).mistakes] == [str(number) for number in range(SHOWN_IMAGES)]


def test_the_least_certain_come_first() -> None:
    results = [_scored("b", 0.5, None), _scored("a", 0.2, None), _scored("c", 0.9, None)]
    assert [result.path for result in gather(results).least_certain] == ["a", "b", "c"]


def test_confidences_are_counted_right_wrong_and_unknown() -> None:
    findings = gather([_scored("a", 1.0, 1), _scored("b", 0.97, 2), _scored("c", 0.0, None)])
    assert (findings.right[-1], findings.wrong[-1], findings.unknown[0]) == (1, 1, 1)
    assert findings.right.sum() + findings.wrong.sum() + findings.unknown.sum() == 3
    assert findings.verdicts == {Verdict.DIGIT: 2, Verdict.UNCERTAIN: 1}
    assert findings.read_as.tolist() == [0, 3, 0, 0, 0, 0, 0, 0, 0, 0]


def test_a_string_is_no_digit_that_was_read_and_a_mistake_where_one_digit_was_meant() -> None:
    string = Result("string", "scored", "42", 0.9, 0.8, Verdict.DIGIT, 4, digits=(Digit(4, 0.95), Digit(2, 0.95)))
    findings = gather([string])
    assert findings.mistakes == [string]
    assert findings.read_as.sum() == 0


def test_images_without_a_label_are_counted_by_what_they_are_taken_for() -> None:
    blank = Result("blank", "rejected", verdict=Verdict.BLANK, reason=Reason.BLANK)
    assert gather([blank, Result("torn", "rejected", reason=Reason.TRUNCATED)]).verdicts == {Verdict.BLANK: 1}


def test_rejected_images_are_listed_up_to_a_limit() -> None:
    rejected = [Result(str(number), "rejected", reason=Reason.EMPTY) for number in range(LISTED_REJECTIONS + 1)]
    assert gather(rejected).rejected == rejected[:LISTED_REJECTIONS]
