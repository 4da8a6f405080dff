"""The words of Digitline as frozen values: job, batch, prediction, rejection, confusion matrix, model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from core.words import BatchState, JobState, Labels, Missed, QueueName, Reason, Runtime, Trigger, Verdict

__all__ = [
    "DIGITS",
    "PRIORITIES",
    "Accounts",
    "Batch",
    "BatchState",
    "Cell",
    "Digit",
    "Job",
    "JobState",
    "Labels",
    "Lease",
    "Manifest",
    "Missed",
    "Model",
    "NewJob",
    "Outcome",
    "Prediction",
    "QueueName",
    "Reason",
    "Rejection",
    "Runtime",
    "Trigger",
    "Verdict",
    "number_of",
]

#: The classes Digitline tells apart: the decimal digits.
DIGITS = 10
#: What the priority of a job may be; 0 where nobody says otherwise.
PRIORITIES = range(-9, 10)


def number_of(reference: str) -> int | None:
    """The number of a job or a model that a person typed; None: it is a name, or no database has a number so large."""
    return int(reference) if reference.isascii() and reference.isdecimal() and len(reference) < 10 else None


@dataclass(frozen=True, slots=True)
class Accounts:
    """The balance of a job, in images: found = scored + rejected + quarantined + open."""

    found: int
    scored: int
    rejected: int
    quarantined: int

    @property
    def open(self) -> int:
        """Images that have not met their end yet; in a cancelled job they never will."""
        return self.found - self.scored - self.rejected - self.quarantined

    @property
    def balanced(self) -> bool:
        """True when every image found has met its end."""
        return self.open == 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """The images of one batch, by position.

    Attributes:
        paths: relative to the job's folder, `/` between the parts; bytes that are no UTF-8 as surrogate escapes.
        true_labels: one per path, None where unknown; None as a whole where no label is known.
        marks: one per path, of its bytes as the object store listed them: 64 bits; None but for a drop that stays where
            it is.
    """

    paths: Sequence[str]
    true_labels: Sequence[int | None] | None = None
    marks: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def true_label(self, position: int) -> int | None:
        """The true label of the image at `position`, if known."""
        return self.true_labels[position] if self.true_labels is not None else None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is not in the ledger yet."""

    name: str
    #: URL of the folder the images lie in.
    source: str
    manifests: Sequence[Manifest]
    queue: QueueName
    triggered_by: Trigger
    labels: Labels = Labels.AUTO
    #: Whether a picture of several digits is read as one string.
    split: bool = False
    #: Failure budget: share of the images that may be rejected or quarantined before the job pauses; None: all may.
    max_rejected: float | None = None
    #: Name of the folder under `claimed/` that holds the images, for a job of the inbox.
    claim: str | None = None
    #: Name of the schedule that asks for it.
    schedule: str | None = None
    #: One of `PRIORITIES`; of what waits in the ledger, the highest is sent first.
    priority: int = 0

    @property
    def found(self) -> int:
        """Number of images."""
        return sum(map(len, self.manifests))


@dataclass(frozen=True, slots=True)
class Job:
    """A folder to score."""

    id: int
    name: str
    #: URL of the folder the images lie in.
    source: str
    state: JobState
    queue: QueueName
    triggered_by: Trigger
    accounts: Accounts
    #: Number of batches.
    batches: int
    model: str
    created_at: datetime
    #: Whether a picture of several digits is read as one string.
    split: bool = False
    #: Failure budget: share of the images that may be rejected or quarantined before it pauses; None: all may.
    max_rejected: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    #: Since when it waits for a person.
    paused_at: datetime | None = None
    #: Scored images with a true label; those read right; those labelled by review alone; all that were reviewed.
    labelled: int = 0
    correct: int = 0
    labelled_by_review: int = 0
    reviewed: int = 0
    #: Images that the model's careful networks were asked about.
    escalated: int = 0
    #: Why the job failed, was cancelled or is paused, and by whom where it was a person; one sentence.
    error: str | None = None
    #: What went wrong in the last attempt at a batch that is still open, one sentence.
    trouble: str | None = None
    #: Name of the folder under `claimed/` that an inbox job owns until it is filed away.
    claim: str | None = None
    #: Name of the schedule that asked for it.
    schedule: str | None = None
    #: One of `PRIORITIES`; of what waits in the ledger, the highest is sent first.
    priority: int = 0

    @property
    def accuracy(self) -> float | None:
        """Share of right labels among the scored images whose true label is known."""
        return self.correct / self.labelled if self.labelled else None


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit of work."""

    id: int
    job_id: int
    job_name: str
    #: 1 for the job's first batch.
    sequence: int
    #: Number of batches in the job.
    of: int
    queue: QueueName
    #: Number of images.
    size: int
    #: The model the job is pinned to.
    model_id: int


#: The stage of a batch in which nobody works on it: from its sending to its claim.
WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to record one batch, until somebody else takes it over."""

    batch: Batch
    token: str
    attempt: int
    #: URL of the folder the images lie in.
    source: str
    manifest: Manifest
    #: Whether a picture of several digits is read as one string.
    split: bool = False
    #: Id of the challenger at the claim, if there is one, and its share of the batches; None: as the settings say.
    challenger: int | None = None
    challenger_share: float | None = None
    #: Seconds from the sending of the batch to the claim.
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit of a string."""

    label: int
    #: Calibrated probability of `label`, 0 to 1.
    confidence: float


class Prediction(NamedTuple):  # there is one for every image, and a dataclass takes several times as long to make
    """One scored image."""

    position: int
    path: str
    sha256: str
    #: The digit; of several digits that were read as one string, that string, such as "1947".
    label: int | str
    #: Calibrated probability of `label`, 0 to 1; of a string, the product of its digits' confidences.
    confidence: float
    #: Calibrated probability of `label` less that of the runner-up, 0 to 1.
    margin: float
    verdict: Verdict
    true_label: int | None = None
    #: The digits of a string, from left to right; empty where one digit was read.
    digits: Sequence[Digit] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """One image that could not be scored."""

    position: int
    path: str
    reason: Reason
    #: The reason in a plain sentence.
    message: str
    true_label: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a confusion matrix."""

    actual: int
    #: None: no single digit was read, for the image was rejected or read as a string.
    predicted: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything one attempt at a batch found out."""

    predictions: Sequence[Prediction]
    rejections: Sequence[Rejection]
    confusion: Sequence[Cell]
    #: Seconds by stage: read, decode, preprocess, predict, shadow, tally; the ledger adds `wait` and `record`.
    timings: Mapping[str, float] = field(default_factory=dict)
    #: Images that the model's careful networks were asked about.
    escalated: int = 0

    @property
    def quarantined(self) -> int:
        """Images that ended the process that looked at them."""
        return sum(rejection.reason is Reason.QUARANTINED for rejection in self.rejections)

    def __str__(self) -> str:
        counts = {
            "scored": len(self.predictions),
            "rejected": len(self.rejections) - self.quarantined,
            "quarantined": self.quarantined,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "scored")


@dataclass(frozen=True, slots=True)
class Model:
    """A model that may score."""

    id: int
    name: str
    #: Of the artefact's card, which holds those of its networks; hexadecimal.
    sha256: str
    #: `production`, `challenger` or None.
    alias: str | None
    #: Folder of the artefact.
    location: str
    card: Mapping[str, object] = field(default_factory=dict)
    promoted_at: datetime | None = None
    #: Share of the batches that it scores in the shadow as the challenger; None: as the settings say.
    challenger_share: float | None = None
