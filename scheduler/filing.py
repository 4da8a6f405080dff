"""Filing away: a drop that ended moves to done/ or failed/, beside a summary and a table of what was read."""

from __future__ import annotations

import csv
import errno
import itertools
import os
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

from core.crash import crash_point
from core.errors import SubmissionError
from core.ledger import batches, jobs, results
from core.ledger.results import Result
from core.settings import Settings
from core.sources import to_path, to_url
from core.vocabulary import Job, JobState
from scheduler.leaflet import beginning, remove_drafts, writing
from scheduler.producer import Line

PREDICTIONS, SUMMARY = "predictions.csv", "summary.txt"
COLUMNS = ("path", "status", "label", "confidence", "verdict", "true_label", "reason", "message")

#: Longest name, in characters, that a job gives its folder; file systems take 255 bytes, 4 a character at worst.
_NAME_LIMIT = 50
#: Rejected images that a summary names; the table has them all.
_NAMED_REJECTIONS = 1000


def file_away(line: Line, job: Job) -> Path:
    """Write summary and table beside a drop's images and move it to where it belongs; safe to repeat.

    Returns:
        The drop's new place.

    Raises:
        FileNotFoundError: the drop lies neither at its old place nor at its new one.
    """
    root = to_path(job.source)
    shelf = line.settings.done_folder if job.state is JobState.DONE else line.settings.failed_folder
    places = _places(shelf / _folder_name(job.name, job.created_at, str(job.id)))
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
    folder_name = _folder_name(root.name, datetime.now().astimezone(), claim.name)
    place = next(place for place in _places(settings.failed_folder / folder_name) if not os.path.lexists(place))
    title = f"{root.name} was not scored."
    remove_drafts(root, claim.name)
    # A drop that is corrected and dropped again brings the reason of its first time along.
    with writing(root, SUMMARY, tag=claim.name, ours=lambda head: head.startswith(_bytes(f"{title}\n"))) as stream:
        stream.write(f"{title}\n\n{error} {error.mend}\n\nCorrect it and drop the folder again.\n")
    root.rename(place)
    _remove_if_empty(claim)
    return place


def write_csv(stream: TextIO, found: Iterable[Result]) -> None:
    """Write results as comma-separated values, a header line first."""
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for result in found:
        writer.writerow(["" if value is None else value for value in (getattr(result, name) for name in COLUMNS)])


def _describe(line: Line, job: Job, root: Path) -> None:
    """Write both files, whole or not at all, and over no file of the sender's."""
    refused: list[Result] = []

    def noted() -> Iterator[Result]:
        for result in results.of_job(line.database, job.id):
            if result.status == "rejected" and len(refused) < _NAMED_REJECTIONS:
                refused.append(result)
            yield result

    tops = (path.split("/", 1)[0] for path in batches.paths_of_job(line.database, job.id))
    # Those alone that could be in our way: a flat folder may hold a million names.
    senders = {top for top in tops if top.casefold().startswith((PREDICTIONS, SUMMARY, "digitline-"))}
    tag = str(job.id)
    remove_drafts(root, tag)
    with writing(root, PREDICTIONS, tag=tag, ours=_begins_table, senders=senders) as stream:
        write_csv(stream, noted())
    with writing(root, SUMMARY, tag=tag, ours=lambda head: _begins_summary(head, job), senders=senders) as stream:
        stream.write(_summary(job, refused))


def _moved_already(job: Job, root: Path, places: Iterator[Path]) -> Path:
    """Where a crash left a drop after its move; a place that another ledger's job of the same name has is not it."""
    for place in itertools.takewhile(os.path.lexists, places):
        if any(_begins_summary(beginning(path), job) for path in place.glob("*summary*.txt")):
            return place
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))


def _summary(job: Job, refused: list[Result]) -> str:
    """A job in plain words: its accounts, its accuracy, and each rejected image with the reason."""
    accounts = job.accounts
    lines = [
        f"Digitline job {job.id}: {job.name}",
        "",
        f"claim        {job.claim}",
        f"state        {job.state}" + (f" ({job.error})" if job.error else ""),
        f"found        {accounts.found}",
        f"scored       {accounts.scored}",
        f"rejected     {accounts.rejected}",
        f"quarantined  {accounts.quarantined}",
    ]
    if accounts.open:
        lines.append(f"open         {accounts.open}")
    if job.accuracy is not None:
        lines.append(f"accuracy     {job.accuracy:.4f} ({job.correct} of {job.labelled} labelled images)")
    lines.append(f"model        {job.model}")
    if refused:
        lines += ["", "Not scored:", *(f"  {result.path}: {result.message}" for result in refused)]
    unnamed = accounts.rejected + accounts.quarantined - len(refused)
    if unnamed:
        lines.append(f"  ... and {unnamed} more, all in {PREDICTIONS}")
    return "\n".join(lines) + "\n"


def _begins_summary(head: bytes, job: Job) -> bool:
    """True where a file begins as this job's summary; the claim tells jobs of different ledgers apart."""
    return head.startswith(_bytes(f"Digitline job {job.id}: ")) and _bytes(f"\nclaim        {job.claim}\n") in head


def _begins_table(head: bytes) -> bool:
    return head.startswith(_bytes(",".join(COLUMNS)))


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _places(wanted: Path) -> Iterator[Path]:
    """The place a drop should have, and others in case that it is taken."""
    yield wanted
    for number in itertools.count(2):
        yield wanted.with_name(f"{wanted.name}-{number}")


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _folder_name(name: str, created_at: datetime, number: str) -> str:
    readable = "".join("_" if unicodedata.category(character).startswith("C") else character for character in name)
    return f"{created_at.astimezone():%Y-%m-%d}-{readable.replace('/', '_')[:_NAME_LIMIT]}-{number}"
