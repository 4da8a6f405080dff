"""Every error Digitline raises on purpose.

    DigitlineError
    +-- SettingsError            a setting is unknown or its value makes no sense
    +-- LedgerError
    |   +-- LedgerUnreachable    the database does not answer
    |   |   +-- LedgerUnwritable the database has no room, or may only be read
    |   +-- RevisionMismatch     the schema is older or newer than this code
    |   +-- JobNotFound          no job of that id or name
    |   +-- ModelNotFound        no model of that name or alias
    |   +-- ImageNotFound        no image of that path in the job
    |   +-- IllegalTransition    a state may not follow another
    |   +-- StaleLease           somebody else took the batch over
    |   +-- ScheduleNotFound     no schedule of that name
    |   +-- NoticeNotFound       no notice of that number that was given up
    |   +-- StaleSchedule        somebody else ran, changed or removed the schedule
    +-- QueueUnreachable         Redis does not answer
    |   +-- QueueUnwritable      Redis answers, and takes nothing
    +-- StoreUnreachable         the object store does not answer
    +-- DiskFull                 the disk of the drops has no room
    +-- SubmissionError
    |   +-- SourceNotFound       the folder is not there
    |   +-- SourceUnreadable     the folder may not be read
    |   +-- SourceEmpty          the folder holds no file to score
    |   +-- LabelsError          labels.csv has a line that cannot be right
    +-- ScheduleError            a schedule's name, times, zone or folder make no sense
    +-- JobFailed                a job ended without a single scored image
    +-- JobPaused                a job waits for a person
    +-- SandboxError             the process that is to look at suspicious images does not start
    +-- ImagesQuarantined        a batch is recorded, and some of its images ended the process that looked at them
    +-- ImageRejected            one image cannot be scored; carries a reason code
    +-- PromotionRefused         nothing shows that a model reads no digit worse than the one in production
    +-- ArtifactError            a model folder is damaged, foreign or of another version
    +-- DatasetError             the training data is missing or not what it says
    +-- RecipeError              a recipe file is missing or says something that makes no sense
    +-- LineError                the embedded line cannot start or stop

The docstring of a class is its default message; `mend` says what a person can do about it.
"""

from __future__ import annotations

from core.vocabulary import Reason


class DigitlineError(Exception):
    """Digitline could not do what was asked."""

    #: What a person can do about it, one sentence; empty where the message says it already.
    mend: str = ""

    def __init__(self, message: str | None = None, *, mend: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
        if mend is not None:
            self.mend = mend


class SettingsError(DigitlineError):
    """A setting is unknown or its value makes no sense."""


class LedgerError(DigitlineError):
    """The ledger refused."""


class LedgerUnreachable(LedgerError):
    """The database does not answer."""

    mend = "Start it, or correct DIGITLINE_DATABASE_URL."


class LedgerUnwritable(LedgerUnreachable):
    """The database has no room, or may only be read."""

    mend = "Make room on its disk, or let it be written to; the line then goes on by itself."


class RevisionMismatch(LedgerError):
    """The database schema is not the one this version of Digitline works with."""

    mend = "Run `digitline migrate`."


class JobNotFound(LedgerError):
    """There is no such job."""

    mend = "`digitline status` lists the jobs."


class ModelNotFound(LedgerError):
    """There is no such model."""

    mend = "`digitline models list` lists the models."


class ImageNotFound(LedgerError):
    """There is no such image in the job."""


class IllegalTransition(LedgerError):
    """That state may not follow the present one."""


class StaleLease(LedgerError):
    """Another worker took this batch over; nothing was written."""


class ScheduleNotFound(LedgerError):
    """There is no such schedule."""

    mend = "`digitline schedule list` lists them."


class NoticeNotFound(LedgerError):
    """There is no such notice that was given up."""

    mend = "`digitline notices list` lists them."


class StaleSchedule(LedgerError):
    """Somebody else ran, changed or removed the schedule at this moment; nothing was written."""

    mend = "`digitline schedule list` shows what came of it."


class QueueUnreachable(DigitlineError):
    """Redis does not answer."""

    mend = "Start the line with `digitline up`, or correct DIGITLINE_BROKER_URL."


class QueueUnwritable(QueueUnreachable):
    """Redis answers, and takes nothing."""

    mend = "Make room where it keeps its files, or in its memory; the line then goes on by itself."


class DiskFull(DigitlineError):
    """The disk of the drops has no room."""

    mend = "Make room: old folders in done/, old logs. The line then goes on by itself."


class StoreUnreachable(DigitlineError):
    """The object store does not answer."""

    mend = "Start it, or correct AWS_ENDPOINT_URL_S3; what waits for it goes on as soon as it is back."


class SubmissionError(DigitlineError):
    """The folder cannot become a job."""


class SourceNotFound(SubmissionError):
    """The folder is not there."""


class SourceUnreadable(SubmissionError):
    """The folder may not be read."""


class SourceEmpty(SubmissionError):
    """The folder holds no file to score."""


class LabelsError(SubmissionError):
    """labels.csv has a line that cannot be right."""


class ScheduleError(DigitlineError):
    """The schedule makes no sense."""


class JobFailed(DigitlineError):
    """The job ended without a single scored image."""


class JobPaused(DigitlineError):
    """The job waits for a person."""


class SandboxError(DigitlineError):
    """The process that is to look at suspicious images does not start."""


class ImagesQuarantined(DigitlineError):
    """The batch is recorded, and some of its images ended the process that looked at them."""

    mend = "`digitline results JOB --only rejected` names them; `digitline retry JOB` has them scored once more."


class ImageRejected(DigitlineError):
    """The image cannot be scored."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        #: Machine-readable reason; the message says the same in a sentence.
        self.reason = reason


class PromotionRefused(DigitlineError):
    """Nothing shows that the model reads no digit worse than the one in production."""


class ArtifactError(DigitlineError):
    """The model folder is damaged, foreign or of another version."""


class DatasetError(DigitlineError):
    """The training data is missing or not what it says it is."""


class RecipeError(DigitlineError):
    """The recipe file is missing or says something that makes no sense."""


class LineError(DigitlineError):
    """The embedded line cannot start or stop."""
