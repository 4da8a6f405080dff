"""What people said elsewhere, as it comes back: tasks of Label Studio, or a table."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from core.errors import DigitlineError
from core.ledger.corrected import Word
from core.ledger.takeover import Said
from core.vocabulary import Verdict

#: Columns that a table must have; `job`, `reviewed_by`, `reviewed_at` and `sha256` are read where it has them.
_NEEDED = {"path", "label"}
#: Characters of a name, as the ledger keeps it.
_LONGEST_NAME = 200
#: How a byte of a name that is no UTF-8 is written in a task, as `core.plain.encodable` does.
_ESCAPE = re.compile(r"\\udc([89a-f][0-9a-f])")


class Unreadable(DigitlineError):
    """A file of corrections makes no sense."""


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What stands for all that a file does not say itself."""

    #: The job; None: each word must name its own.
    job_id: int | None
    #: Who said it.
    by: str


def read(file: Path, unsaid: Unsaid) -> list[Said]:
    """Read the words of a file: JSON as Label Studio exports it, else a table as `digitline corrections export` writes it.

    Tasks on which nobody has said anything are left out.

    Raises:
        Unreadable: it is neither, or a word of it makes no sense.
    """
    try:
        # A byte of a name that is no UTF-8 comes back as it was; spreadsheets put a mark of their own before it all.
        text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise Unreadable(f"{file} cannot be read: {error.strerror or error}.") from error
    if text.lstrip().startswith(("[", "{")):
        return list(_tasks(_parsed(file, text), unsaid))
    return list(_rows(StringIO(text, newline=""), unsaid))


def _parsed(file: Path, text: str) -> Sequence[Any]:
    try:
        tasks = json.loads(text)
    except ValueError as error:
        raise Unreadable(f"{file} is no JSON: {error}.") from error
    if not isinstance(tasks, list):
        raise Unreadable(f"{file} is no list of tasks.", mend="Export it from Label Studio as JSON.")
    return tasks


def _tasks(tasks: Sequence[Any], unsaid: Unsaid) -> Iterator[Said]:
    for number, task in enumerate(tasks, 1):
        where = f"task {task.get('id', number)}" if isinstance(task, Mapping) else f"task {number}"
        if not (isinstance(task, Mapping) and isinstance(task.get("data"), Mapping)):
            raise Unreadable(f"{where} is no task.", mend="Export it from Label Studio as JSON, not as JSON-MIN.")
        last = _last(task.get("annotations"))
        word = None if last is None else _word_of(where, last.get("result"))
        if last is not None and word is not None:
            data = {**task["data"], "reviewed_by": _annotator(last) or task["data"].get("reviewed_by")}
            data["path"] = _ESCAPE.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), _text(where, data, "path"))
            yield _said(where, data, word, _moment(where, _when(last)), unsaid)


def _rows(lines: Iterable[str], unsaid: Unsaid) -> Iterator[Said]:
    rows = csv.DictReader(lines, strict=True)
    try:
        if missing := _NEEDED - set(rows.fieldnames or ()):
            raise Unreadable(f"line 1: the column {min(missing)!r} is missing.", mend="Give it the columns path,label.")
        for row in rows:
            where = f"line {rows.line_num}"
            at = _moment(where, row.get("reviewed_at"))
            yield _said(where, row, _word(where, _text(where, row, "label")), at, unsaid)
    except csv.Error as error:
        raise Unreadable(f"after line {rows.line_num}: {error}.") from error


def _said(where: str, data: Mapping[str, Any], word: Word, at: datetime | None, unsaid: Unsaid) -> Said:
    job = unsaid.job_id if unsaid.job_id is not None else _text(where, data, "job")
    if not str(job).isdecimal():
        raise Unreadable(f"{where}: {job!r} is no number of a job.")
    by = str(data.get("reviewed_by") or unsaid.by)[:_LONGEST_NAME]
    return Said(where, int(job), _text(where, data, "path"), word, by, at, data.get("sha256") or None)


def _text(where: str, data: Mapping[str, Any], name: str) -> str:
    found = data.get(name)
    if found in (None, ""):
        raise Unreadable(f"{where} has no {name}.")
    return str(found)


def _last(annotations: Any) -> Mapping[str, Any] | None:
    """The annotation that was made or changed last, of those that were not skipped."""
    if not isinstance(annotations, list):
        return None
    said = [one for one in annotations if isinstance(one, Mapping) and not one.get("was_cancelled")]
    return max(said, key=lambda one: str(_when(one) or ""), default=None)


def _when(annotation: Mapping[str, Any]) -> Any:
    return annotation.get("updated_at") or annotation.get("created_at")


def _word_of(where: str, result: Any) -> Word | None:
    """What was chosen, or, where it was several digits, the string that was typed; None: nothing."""
    values = [
        one["value"] for one in result or () if isinstance(one, Mapping) and isinstance(one.get("value"), Mapping)
    ]
    chosen = [str(choice) for value in values for choice in value.get("choices") or ()]
    typed = [str(text) for value in values for text in value.get("text") or ()]
    if not chosen:
        return None
    return _word(where, typed[0] if typed and chosen == [Verdict.SEVERAL] else chosen[0])


def _word(where: str, text: str) -> Word:
    try:
        return Word.of(text.strip())
    except ValueError as error:
        raise Unreadable(f"{where}: {error}") from error


def _moment(where: str, text: Any) -> datetime | None:
    """In UTC, which is also meant where no zone is named; None: nothing is said."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Unreadable(f"{where}: {text!r} is no time, as 2026-11-23T14:00:00Z is.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _annotator(annotation: Mapping[str, Any]) -> str | None:
    """Who made it: by the address of their account, or its number."""
    by = annotation.get("completed_by")
    if isinstance(by, Mapping):
        by = by.get("email") or by.get("id")
    return None if by is None else f"user {by} of Label Studio" if isinstance(by, int) else str(by)
