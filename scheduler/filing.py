"""Filing away: a drop that ended moves to done/ or failed/, beside a summary and a table of what was read."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

from core.crash import crash_point
from core.errors import SubmissionError
from core.ledger import jobs, results
from core.ledger.results import Result
from core.settings import Settings
from core.sources import to_path, to_url
from core.vocabulary import Job, JobState
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
    """
    root = to_path(job.source)
    shelf = line.settings.done_folder if job.state is JobState.DONE else line.settings.failed_folder
    place = shelf / _folder_name(job.name, job.created_at, str(job.id))
    if root.exists():
        _describe(line, job, root)
        crash_point("filing.described")
        root.rename(place)
        crash_point("filing.moved")
    claim = line.settings.claimed_folder / (job.claim or "")
    if job.claim and claim.is_dir() and not any(claim.iterdir()):
        claim.rmdir()
    jobs.mark_filed(line.database, job, to_url(place))
    return place


def file_unsubmitted(settings: Settings, root: Path, error: SubmissionError) -> Path:
    """Move a claimed drop that cannot become a job to failed/, beside the reason."""
    place = settings.failed_folder / _folder_name(root.name, datetime.now().astimezone(), root.parent.name)
    text = f"{root.name} was not scored.\n\n{error} {error.mend}\n\nCorrect it and drop the folder again.\n"
    _write(root / _fresh_name(SUMMARY, taken=(root / SUMMARY).exists()), text)
    root.rename(place)
    root.parent.rmdir()
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
    senders: set[str] = set()

    def noted() -> Iterator[Result]:
        for result in results.of_job(line.database, job.id):
            if result.status == "rejected" and len(refused) < _NAMED_REJECTIONS:
                refused.append(result)
            if result.path in (PREDICTIONS, SUMMARY):
                senders.add(result.path)
            yield result

    draft = root / ".digitline-predictions"
    with draft.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        write_csv(stream, noted())
    draft.rename(root / _fresh_name(PREDICTIONS, taken=PREDICTIONS in senders))
    _write(root / _fresh_name(SUMMARY, taken=SUMMARY in senders), _summary(job, refused))


def _summary(job: Job, refused: list[Result]) -> str:
    """A job in plain words: its accounts, its accuracy, and each rejected image with the reason."""
    accounts = job.accounts
    lines = [
        f"Digitline job {job.id}: {job.name}",
        "",
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


def _fresh_name(name: str, *, taken: bool) -> str:
    return f"digitline-{name}" if taken else name


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


def _folder_name(name: str, created_at: datetime, number: str) -> str:
    readable = "".join("_" if unicodedata.category(character).startswith("C") else character for character in name)
    return f"{created_at.astimezone():%Y-%m-%d}-{readable.replace('/', '_')[:_NAME_LIMIT]}-{number}"
