"""The words that a column of the ledger or an option may hold: states, verdicts, reasons and what one may choose."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands.

    queued --> running --> done
      |           |-----> failed      (ended, and not one image was scored)
      +-----------+-----> cancelled
      ^           ^         |
      |           +-> paused          (too much of it is refused, or by a person, who resumes or cancels it)
      +------- retry -------+         (from any end, if something is left to score)
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True once nothing more will be scored for the job."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class BatchState(StrEnum):
    """Where a batch stands.

        queued --> leased --> done
           ^         |------> queued       (released, or the lease ran out)
           |         +------> quarantined  (its workers died too often)
           +-- cancelled <-- queued | leased
    A retry of the job takes quarantined and cancelled batches back to queued.
    """

    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    QUARANTINED = "quarantined"
    CANCELLED = "cancelled"


class Trigger(StrEnum):
    """Who asked for a job."""

    INBOX = "inbox"
    SCRIPT = "script"
    CLI = "cli"
    SCHEDULE = "schedule"


class Missed(StrEnum):
    """What becomes of a schedule's time at which no scheduler was there."""

    #: However many were missed, one run makes up for all of them.
    RUN_ONCE = "run-once"
    #: Nothing; the next one that comes is kept.
    SKIP = "skip"


class Runtime(StrEnum):
    """What runs a model's networks in a process."""

    #: Keras on TensorFlow, as the networks were trained.
    KERAS = "keras"
    #: LiteRT, which reads the same labels, in a small process that starts at once.
    LITERT = "litert"
    #: LiteRT in whole numbers of eight bits: several times as quick, and a few labels in ten thousand are others.
    LITERT_INT8 = "litert-int8"


class Verdict(StrEnum):
    """What an image that could be decoded is taken for.

    The first three are of scored images, the last three are also the reasons why there is nothing to score.
    """

    DIGIT = "digit"
    UNCERTAIN = "uncertain"
    NOT_A_DIGIT = "not_a_digit"
    BLANK = "blank"
    LOW_CONTRAST = "low_contrast"
    SEVERAL = "several"


class Reason(StrEnum):
    """Why an image was not scored."""

    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED = "unsupported"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    BLANK = "blank"
    LOW_CONTRAST = "low_contrast"
    SEVERAL = "several"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    OUTSIDE = "outside"
    QUARANTINED = "quarantined"

    @property
    def verdict(self) -> Verdict | None:
        """What the image is taken for; None where its picture was never seen."""
        return Verdict.__members__.get(self.name)


class Labels(StrEnum):
    """Where true labels come from."""

    AUTO = "auto"
    FOLDERS = "folders"
    CSV = "csv"
    NONE = "none"


class QueueName(StrEnum):
    """The queue a batch waits in; a small job must not wait behind a large one."""

    EXPRESS = "express"
    BULK = "bulk"


class NoticeState(StrEnum):
    """What became of a notice.

    waiting --> delivered   (its consumer took it)
          +---> given_up    (no try did for days, or the consumer wants none)
    """

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
