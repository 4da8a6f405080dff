"""Filing for drops in object storage: they stay where they are, and their results are put beside the inbox."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from core.crash import crash_point
from core.errors import SourceNotFound, SubmissionError
from core.ledger import jobs, results
from core.objects import TooLarge, get_store
from core.sources import Prefix, source_at, to_url
from core.vocabulary import Job, JobState
from scheduler.producer import Line
from scheduler.summary import PREDICTIONS, SUMMARY, Refused, as_bytes, begins_summary, folder_name, summary, write_csv

_DONE, _FAILED = "done", "failed"
#: Bytes of a summary that are read to see whose it is; it may name a thousand rejected images.
_SUMMARY_LIMIT = 16 << 20


def drop_claims(inbox: Prefix, name: str) -> str:
    """What the claims of all jobs of a drop begin with; before the next `#` stands which job of the drop it is.

    Args:
        inbox: where it was dropped.
        name: of the drop; empty: what lies loose in the inbox.
    """
    return f"{to_url(inbox)}#{quote(name, safe='', errors='surrogateescape')}#"


def shelve(line: Line, job: Job, source: Prefix) -> Prefix:
    """Put table and summary of a drop that ended below done/ or failed/ beside its inbox; safe to repeat.

    Returns:
        Where they are now.

    Raises:
        SourceNotFound, SourceUnreadable, StoreUnreachable: the bucket cannot be written to now.
    """
    shelf = _beside(_inbox_of(job), _DONE if job.state is JobState.DONE else _FAILED)
    places = _places(shelf, folder_name(job.name, job.created_at, str(job.id)))
    place = next(place for place in places if _is_free(place, job))
    refused = Refused()
    with tempfile.TemporaryDirectory(prefix="digitline-") as drafts:
        table = Path(drafts) / PREDICTIONS
        with table.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            write_csv(stream, refused.among(results.of_job(line.database, job.id)))
        get_store().write(place, PREDICTIONS, table)
        crash_point("shelf.described")
        # Last, for whoever finds it finds the table, too.
        _write_text(place, summary(job, refused.named))
    crash_point("shelf.filed")
    jobs.mark_filed(line.database, job, to_url(source))
    return place


def shelve_unsubmitted(inbox: Prefix, name: str, look: str, error: SubmissionError) -> Prefix:
    """Say below failed/ why a drop cannot become a job; once for each look of it, however often it is found.

    Args:
        inbox: where it was dropped.
        name: of the drop, for people.
        look: of the drop, in a few characters.
        error: why.

    Returns:
        Where the summary is now.
    """
    place = _beside(inbox, _FAILED).below(f"{name.replace('/', '_')}-{look}")
    _write_text(place, f"{name} was not scored.\n\n{error} {error.mend}\n\nCorrect it, or drop it anew.\n")
    return place


def _write_text(place: Prefix, text: str) -> None:
    with tempfile.NamedTemporaryFile(prefix="digitline-") as draft:
        draft.write(as_bytes(text))
        draft.flush()
        get_store().write(place, SUMMARY, Path(draft.name))


def _inbox_of(job: Job) -> Prefix:
    inbox = source_at((job.claim or "").partition("#")[0])
    if not isinstance(inbox, Prefix):
        raise SourceNotFound(f"The claim {job.claim} of job {job.id} names no inbox in object storage.")
    return inbox


def _beside(inbox: Prefix, name: str) -> Prefix:
    """The prefix of that name beside an inbox, as a folder lies beside a folder."""
    above, _, _ = inbox.key.rstrip("/").rpartition("/")
    return Prefix(inbox.bucket, f"{above}/{name}/" if above else f"{name}/")


def _is_free(place: Prefix, job: Job) -> bool:
    """Whether nothing was filed there but this very job; another ledger's may have its number and its name."""
    try:
        return begins_summary(get_store().read(place, SUMMARY, limit=_SUMMARY_LIMIT), job)
    except FileNotFoundError:
        return True
    except (PermissionError, TooLarge):
        return False


def _places(shelf: Prefix, wanted: str) -> Iterator[Prefix]:
    yield shelf.below(wanted)
    for number in itertools.count(2):
        yield shelf.below(f"{wanted}-{number}")
