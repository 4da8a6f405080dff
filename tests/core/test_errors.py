"""Every error says what happened, and where it can, what a person may do."""

from __future__ import annotations

import pytest

from core import errors
from core.errors import DigitlineError, ImageRejected, LedgerError, StaleLease
from core.vocabulary import Reason


def every_kind(of: type[DigitlineError] = DigitlineError) -> list[type[DigitlineError]]:
    return [
        of,
        *(kind for below in of.__subclasses__() if below.__module__ == errors.__name__ for kind in every_kind(below)),
    ]


@pytest.mark.parametrize("kind", [kind for kind in every_kind() if kind is not ImageRejected])
def test_an_error_without_words_says_what_its_class_does(kind: type[DigitlineError]) -> None:
    assert str(kind()) == kind.__doc__
    assert str(kind()).endswith(".")
    assert str(kind("The disk is full.")) == "The disk is full."


def test_the_drawn_tree_has_every_error() -> None:
    drawn = str(errors.__doc__)
    assert len(every_kind()) > 15
    for kind in every_kind():
        assert f" {kind.__name__}" in drawn


def test_an_error_may_say_its_own_mend() -> None:
    assert errors.JobNotFound().mend == "`digitline status` lists the jobs."
    assert errors.JobNotFound(mend="Look elsewhere.").mend == "Look elsewhere."
    assert errors.JobNotFound.mend == "`digitline status` lists the jobs."


def test_one_clause_catches_what_the_ledger_refuses() -> None:
    with pytest.raises(LedgerError):
        raise StaleLease


def test_a_rejected_image_carries_its_reason() -> None:
    error = ImageRejected(Reason.TRUNCATED, "a.png ends early.")
    assert (error.reason, str(error)) == (Reason.TRUNCATED, "a.png ends early.")
