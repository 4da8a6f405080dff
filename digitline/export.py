"""Results as a table, CSV or JSON lines, one by one, so that memory does not grow with the job."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from core.errors import DigitlineError
from core.ledger.results import Result
from core.plain import printable
from digitline.records import RESULT_KEYS, as_json, encodable_record, result_record

#: Columns of the table, their widths in characters; the path comes last, for its length is not known beforehand.
_WIDTHS = {"status": 8, "label": 8, "confidence": 10, "verdict": 12, "true": 4, "reason": 12}


def write_table(results: Iterable[Result], stream: TextIO) -> None:
    """Write aligned columns for people; a name's control characters are written as escapes."""
    stream.write(_line(list(_WIDTHS), "path"))
    for result in results:
        record = result_record(result)
        confidence = "" if result.confidence is None else f"{result.confidence:.4f}"
        cells = [
            result.status,
            _text(record["label"]),
            confidence,
            _text(record["verdict"]),
            _text(record["true_label"]),
            _text(record["reason"]),
        ]
        stream.write(_line(cells, printable(result.path)))


def write_csv(results: Iterable[Result], stream: TextIO) -> None:
    """Write CSV (RFC 4180) with a header; bytes of a name that are no UTF-8 are written as `\\udcff`.

    The digits of a string are written as JSON.
    """
    writer = csv.writer(stream)
    writer.writerow(RESULT_KEYS)
    for result in results:
        record = encodable_record(result)
        digits = as_json(record["digits"]) if result.digits else None
        writer.writerow([*{**record, "digits": digits}.values()])


def write_json(results: Iterable[Result], stream: TextIO) -> None:
    """Write one JSON object a line, in ASCII."""
    stream.writelines(as_json(result_record(result)) + "\n" for result in results)


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Give a draft to write to, which takes the place of `output` once it is complete.

    Raises:
        DigitlineError: the file cannot be written; the message names it.
    """
    try:
        if output.exists() and not output.is_file():
            yield output  # a device or a pipe is written to, not replaced
            return
        draft = output.with_name(f".{output.name}.{os.getpid()}.draft")
        try:
            yield draft
            draft.replace(output)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise DigitlineError(f"{output} cannot be written: {error.strerror or error}.") from error


def _line(cells: list[str], path: str) -> str:
    columns = (f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS.values(), strict=True))
    return f"{'  '.join(columns)}  {path}\n"


def _text(value: object) -> str:
    return "" if value is None else str(value)
