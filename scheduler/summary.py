"""What a person finds beside a drop that ended: a table of all results, and a summary in plain words."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

from core.ledger.results import Result
from core.vocabulary import Job

PREDICTIONS, SUMMARY = "predictions.csv", "summary.txt"
COLUMNS = ("path", "status", "label", "confidence", "verdict", "true_label", "reason", "message")

#: Longest name, in characters, that a job gives its folder; file systems take 255 bytes, 4 a character at worst.
_NAME_LIMIT = 50
#: Rejected images that a summary names; the table has them all.
_NAMED_REJECTIONS = 1000


@dataclass
class Refused:
    """The rejected images that a summary names, noted while the table is written."""

    named: list[Result] = field(default_factory=list)

    def among(self, found: Iterable[Result]) -> Iterator[Result]:
        """Hand results on, and note the first of those that were rejected."""
        for result in found:
            if result.status == "rejected" and len(self.named) < _NAMED_REJECTIONS:
                self.named.append(result)
            yield result


def write_csv(stream: TextIO, found: Iterable[Result]) -> None:
    """Write results as comma-separated values, a header line first."""
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for result in found:
        writer.writerow(["" if value is None else value for value in (getattr(result, name) for name in COLUMNS)])


def summary(job: Job, refused: list[Result]) -> str:
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


def begins_summary(head: bytes, job: Job) -> bool:
    """True where a file begins as this job's summary; the claim tells jobs of different ledgers apart."""
    return head.startswith(as_bytes(f"Digitline job {job.id}: ")) and as_bytes(f"\nclaim        {job.claim}\n") in head


def begins_table(head: bytes) -> bool:
    """True where a file begins as a table of results does."""
    return head.startswith(as_bytes(",".join(COLUMNS)))


def as_bytes(text: str) -> bytes:
    """The text as a file has it, also where a name in it is no UTF-8."""
    return text.encode(errors="surrogateescape")


def folder_name(name: str, created_at: datetime, number: str) -> str:
    """The name of the folder that a drop is filed as."""
    readable = "".join("_" if unicodedata.category(character).startswith("C") else character for character in name)
    return f"{created_at.astimezone():%Y-%m-%d}-{readable.replace('/', '_')[:_NAME_LIMIT]}-{number}"
