"""Filing away: a drop that ended moves to done/ or failed/, beside a summary and a table of what was read."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from core.crash import crash_point
from core.errors import SubmissionError
from core.ledger import batches, jobs, results
from core.settings import Settings
from core.sources import Prefix, Source, source_at, to_url
from core.vocabulary import Job, JobState
from scheduler.leaflet import beginning, remove_drafts, writing
from scheduler.producer import Line
from scheduler.shelf import shelve
from scheduler.summary import (
    PREDICTIONS,
    SUMMARY,
    Refused,
    as_bytes,
    begins_summary,
    begins_table,
    folder_name,
    summary,
    write_csv,
)


def file_away(line: Line, job: Job) -> Source:
    """Write summary and table beside a drop's images and move it to where it belongs; safe to repeat.

    A drop in object storage stays where it is; its results are put beside the inbox.

    Returns:
        The drop's new place, or that of its results.

    Raises:
        FileNotFoundError: the drop lies neither at its old place nor at its new one.
        SourceUnreadable, StoreUnreachable: the results cannot be put into the bucket now.
    """
    source = source_at(job.source)
    if isinstance(source, Prefix):
        return shelve(line, job, source)
    return _file_folder(line, job, source)


def _file_folder(line: Line, job: Job, root: Path) -> Path:
    shelf = line.settings.done_folder if job.state is JobState.DONE else line.settings.failed_folder
    places = _places(shelf / folder_name(job.name, job.created_at, str(job.id)))
    if root.exists():
        place = next(place for place in places if place == root or not os.path.lexists(place))
        _describe(line, job, root)
        crash_point("filing.described")
        root.rename(place)
        crash_point("filing.moved")
    else:
        place = _moved_already(job, root, places)
    if job.claim:
        _remove_if_empty(line.settings.claimed_folder / job.claim)
    jobs.mark_filed(line.database, job, to_url(place))
    return place


def file_unsubmitted(settings: Settings, root: Path, error: SubmissionError) -> Path:
    """Move a claimed drop that cannot become a job to failed/, beside the reason."""
    claim = root.parent
    wanted = settings.failed_folder / folder_name(root.name, datetime.now().astimezone(), claim.name)
    place = next(place for place in _places(wanted) if not os.path.lexists(place))
    title = f"{root.name} was not scored."
    remove_drafts(root, claim.name)
    # A drop that is corrected and dropped again brings the reason of its first time along.
    with writing(root, SUMMARY, tag=claim.name, ours=lambda head: head.startswith(as_bytes(f"{title}\n"))) as stream:
        stream.write(f"{title}\n\n{error} {error.mend}\n\nCorrect it and drop the folder again.\n")
    root.rename(place)
    _remove_if_empty(claim)
    return place


def _describe(line: Line, job: Job, root: Path) -> None:
    """Write both files, whole or not at all, and over no file of the sender's."""
    refused = Refused()
    tops = (path.split("/", 1)[0] for path in batches.paths_of_job(line.database, job.id))
    # Those alone that could be in our way: a flat folder may hold a million names.
    senders = {top for top in tops if top.casefold().startswith((PREDICTIONS, SUMMARY, "digitline-"))}
    tag = str(job.id)
    remove_drafts(root, tag)
    with writing(root, PREDICTIONS, tag=tag, ours=begins_table, senders=senders) as stream:
        write_csv(stream, refused.among(results.of_job(line.database, job.id)))
    with writing(root, SUMMARY, tag=tag, ours=lambda head: begins_summary(head, job), senders=senders) as stream:
        stream.write(summary(job, refused.named))


def _moved_already(job: Job, root: Path, places: Iterator[Path]) -> Path:
    """Where a crash left a drop after its move; a place that another ledger's job of the same name has is not it."""
    for place in itertools.takewhile(os.path.lexists, places):
        if any(begins_summary(beginning(path), job) for path in place.glob("*summary*.txt")):
            return place
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))


def _places(wanted: Path) -> Iterator[Path]:
    """The place a drop should have, and others in case that it is taken."""
    yield wanted
    for number in itertools.count(2):
        yield wanted.with_name(f"{wanted.name}-{number}")


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
