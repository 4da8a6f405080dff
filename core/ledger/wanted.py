"""Which images are wanted, as conditions on their rows, and what the counts of a batch say of whether it holds any."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, func, or_, select

from core import tables
from core.ledger.outcomes import CONFIDENCE_BOUNDS, STRING
from core.vocabulary import Reason, Verdict

_counts, _confusion = tables.batches.c, tables.confusion
_scored, _rejected = tables.predictions.c, tables.rejections.c

Conditions: TypeAlias = list[ColumnElement[bool]]


class Agreement(StrEnum):
    """Whether an image was read as its true label says."""

    RIGHT = "right"
    WRONG = "wrong"
    #: No true label is known, or no digit was read.
    UNKNOWN = "unknown"


class ReadAs(StrEnum):
    """What an image was read as where it was no single digit."""

    STRING = STRING
    #: Nothing: it was rejected.
    NOTHING = "nothing"
    #: One of the two, as the last column of a confusion matrix has it.
    NO_DIGIT = "no_digit"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images are wanted; None: any."""

    job: int | None = None
    label: int | ReadAs | None = None
    true_label: int | None = None
    verdict: Verdict | None = None
    reason: Reason | None = None
    agreement: Agreement | None = None
    #: Of the confidence, 0 to 1, both included.
    least: float | None = None
    most: float | None = None


def hints(wanted: Wanted) -> Conditions:
    """What is true of a batch's counts if it holds what is wanted; one of before there were counts may hold anything."""
    found = _label_hints(wanted.label)
    if wanted.verdict is not None:
        found.append(or_(_counted(_counts.verdicts, wanted.verdict), _counted(_counts.reasons, wanted.verdict)))
    if wanted.reason is not None:
        found.append(_counted(_counts.reasons, wanted.reason))
    if wanted.least is not None or wanted.most is not None:
        found.append(or_(*(_counted(_counts.confidences, str(bound)) for bound in _bounds(wanted))))
    # What people said since is not in the counts.
    found += [or_(hint, _is_reviewed()) for hint in _truth_hints(wanted)]
    return found


def asks_for_truth(wanted: Wanted) -> bool:
    """Whether it matters what an image shows, which people may have said."""
    return wanted.true_label is not None or wanted.agreement is not None


def scored_conditions(wanted: Wanted, truth: ColumnElement[Any] = _scored.true_label) -> Conditions | None:
    """Conditions of the scored images; None: none of them is wanted.

    Args:
        wanted: which images.
        truth: the label that an image is believed to show.
    """
    if wanted.reason is not None or wanted.label is ReadAs.NOTHING:
        return None
    found = _agreement_conditions(wanted.agreement, truth)
    if wanted.label is not None:
        single = isinstance(wanted.label, int)
        found.append(_scored.label == wanted.label if single else _scored.label.is_(None))
    if wanted.true_label is not None:
        found.append(truth == wanted.true_label)
    if wanted.verdict is not None:
        found.append(_scored.verdict == wanted.verdict.value)
    if wanted.least is not None:
        found.append(_scored.confidence >= wanted.least)
    if wanted.most is not None:
        found.append(_scored.confidence <= wanted.most)
    return found


def rejected_conditions(wanted: Wanted, truth: ColumnElement[Any] = _rejected.true_label) -> Conditions | None:
    """Conditions of the rejected images, as `scored_conditions` gives those of the others."""
    has_confidence = wanted.least is not None or wanted.most is not None
    is_read = isinstance(wanted.label, int) or wanted.label is ReadAs.STRING
    if has_confidence or is_read or wanted.agreement in (Agreement.RIGHT, Agreement.WRONG):
        return None
    reasons = [reason for reason in Reason if wanted.reason in (None, reason)]
    if wanted.verdict is not None:
        reasons = [reason for reason in reasons if reason.verdict is wanted.verdict]
    found: Conditions = []
    if len(reasons) < len(Reason):
        found.append(_rejected.reason.in_([reason.value for reason in reasons]))
    if wanted.true_label is not None:
        found.append(truth == wanted.true_label)
    return found if reasons else None


def _label_hints(label: int | ReadAs | None) -> Conditions:
    refused = _counts.rejected + _counts.quarantined > 0
    match label:
        case None:
            return []
        case ReadAs.NOTHING:
            return [refused]
        case ReadAs.NO_DIGIT:
            return [or_(refused, _counted(_counts.labels, STRING))]
        case _:
            return [_counted(_counts.labels, str(label))]


def _truth_hints(wanted: Wanted) -> Conditions:
    found = [] if wanted.true_label is None else [_cell(wanted.true_label, wanted.label)]
    if wanted.agreement is Agreement.RIGHT:
        found.append(_counts.correct > 0)
    if wanted.agreement is Agreement.WRONG:
        found.append(_counts.labelled > _counts.correct)
    return found


def _is_reviewed() -> ColumnElement[bool]:
    said = tables.corrections.c
    return select(said.id).where(said.batch_id == _counts.id, said.stands).exists()


def _agreement_conditions(agreement: Agreement | None, truth: ColumnElement[Any]) -> Conditions:
    match agreement:
        case Agreement.RIGHT:
            return [_scored.label == truth]
        case Agreement.WRONG:
            return [_scored.label != truth]
        case Agreement.UNKNOWN:
            return [or_(_scored.label.is_(None), truth.is_(None))]
        case None:
            return []


def _counted(counts: ColumnElement[Any], key: str) -> ColumnElement[bool]:
    return or_(counts.is_(None), func.coalesce(counts[key].as_integer(), 0) > 0)


def _bounds(wanted: Wanted) -> list[float]:
    """Upper bounds of the bins in which a confidence of the wanted range may be counted."""
    least, most = wanted.least or 0.0, 1.0 if wanted.most is None else wanted.most
    lower = (float("-inf"), *CONFIDENCE_BOUNDS[:-1])
    bins = zip(lower, CONFIDENCE_BOUNDS, strict=True)
    return [bound for below, bound in bins if bound >= least and below <= most] or [CONFIDENCE_BOUNDS[-1]]


def _cell(actual: int, label: int | ReadAs | None) -> ColumnElement[bool]:
    """Whether the batch's confusion matrix has an image of that true label which was read like that."""
    cells = select(_confusion.c.id).where(_confusion.c.batch_id == _counts.id, _confusion.c.actual == actual)
    if isinstance(label, int):
        cells = cells.where(_confusion.c.predicted == label)
    elif label is not None:
        cells = cells.where(_confusion.c.predicted.is_(None))
    return cells.exists()
