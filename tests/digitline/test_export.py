"""Results in every form, with the names that people and their scanners think of."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.errors import DigitlineError
from core.ledger.corrected import Word
from core.ledger.results import Result
from core.vocabulary import Digit, Reason, Verdict
from digitline.export import replacing, write_csv, write_json, write_table
from digitline.parquet import write_parquet

_NAMES = ["a.png", 'quote"comma,.png', "two\nlines.png", "carriage\rreturn.png", "\x1b[31mred.png", "caf\udce9.png"]
_RESULTS = [
    *(Result(name, "scored", 7, 0.987654321, 0.9, Verdict.DIGIT, 7, model="small") for name in _NAMES),
    Result("b.png", "rejected", true_label=1, reason=Reason.TRUNCATED, message="The file ends.", model="small"),
]
_STRING = Result(
    "c.png", "scored", "07", 0.75, 0.5, Verdict.UNCERTAIN, model="small", digits=(Digit(0, 0.9375), Digit(7, 0.8))
)
_BLANK = Result("d.png", "rejected", verdict=Verdict.BLANK, reason=Reason.BLANK, message="It is blank.", model="small")
_DIGITS = [{"label": 0, "confidence": 0.9375}, {"label": 7, "confidence": 0.8}]


def test_json_gives_one_object_a_line_and_names_survive_byte_by_byte() -> None:
    stream = io.StringIO()
    write_json(_RESULTS, stream)
    assert stream.getvalue().isascii()
    objects = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [record["path"] for record in objects[:-1]] == _NAMES
    assert objects[0] == {
        "path": "a.png",
        "status": "scored",
        "label": 7,
        "confidence": 0.987654,
        "verdict": "digit",
        "true_label": 7,
        "reason": None,
        "model": "small",
        "digits": None,
        "review": None,
    }
    assert objects[-1] == {
        "path": "b.png",
        "status": "rejected",
        "label": None,
        "confidence": None,
        "verdict": None,
        "true_label": 1,
        "reason": "truncated",
        "model": "small",
        "digits": None,
        "review": None,
    }


def test_what_a_person_said_is_in_every_form(tmp_path: Path) -> None:
    reviewed = Result("e.png", "scored", 7, 0.5, 0.4, Verdict.UNCERTAIN, review=Word.of("1947"))
    lines, table = io.StringIO(), io.StringIO()
    write_json([reviewed], lines)
    write_csv([reviewed], table)
    write_parquet([reviewed, _RESULTS[0]], tmp_path / "r.parquet")
    assert json.loads(lines.getvalue())["review"] == "1947"
    assert [row["review"] for row in csv.DictReader(io.StringIO(table.getvalue(), newline=""))] == ["1947"]
    assert [row["review"] for row in pq.read_table(tmp_path / "r.parquet").to_pylist()] == ["1947", None]


def test_a_string_is_its_digits_in_every_form(tmp_path: Path) -> None:
    lines, table, page = io.StringIO(), io.StringIO(), io.StringIO()
    write_json([_STRING, _RESULTS[0]], lines)
    string, digit = map(json.loads, lines.getvalue().splitlines())
    assert (string["label"], string["digits"], digit["label"], digit["digits"]) == ("07", _DIGITS, 7, None)
    write_csv([_STRING, _RESULTS[0]], table)
    string, digit = csv.DictReader(io.StringIO(table.getvalue(), newline=""))
    assert (string["label"], json.loads(string["digits"]), digit["label"], digit["digits"]) == ("07", _DIGITS, "7", "")
    write_table([_STRING], page)
    assert page.getvalue().splitlines()[1].split() == ["scored", "07", "0.7500", "uncertain", "c.png"]
    write_parquet([_STRING, _RESULTS[0]], tmp_path / "r.parquet")
    string, digit = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert (string["label"], string["string"], string["digits"]) == (None, "07", _DIGITS)
    assert (digit["label"], digit["string"], digit["digits"]) == (7, None, None)


def test_an_image_without_a_label_has_its_verdict_in_every_form(tmp_path: Path) -> None:
    lines, table, page = io.StringIO(), io.StringIO(), io.StringIO()
    write_json([_BLANK], lines)
    write_csv([_BLANK], table)
    write_table([_BLANK], page)
    write_parquet([_BLANK], tmp_path / "r.parquet")
    (row,) = csv.DictReader(io.StringIO(table.getvalue(), newline=""))
    for record in (json.loads(lines.getvalue()), row, *pq.read_table(tmp_path / "r.parquet").to_pylist()):
        assert (record["status"], record["verdict"], record["reason"]) == ("rejected", "blank", "blank")
    assert page.getvalue().splitlines()[1].split() == ["rejected", "blank", "blank", "d.png"]


def test_csv_is_read_back_as_it_was_written() -> None:
    stream = io.StringIO()
    write_csv(_RESULTS, stream)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue(), newline="")))
    assert [row["path"] for row in rows[:-2]] == _NAMES[:-1]
    assert rows[-2]["path"] == "caf\\udce9.png"
    assert rows[-1] == {
        "path": "b.png",
        "status": "rejected",
        "label": "",
        "confidence": "",
        "verdict": "",
        "true_label": "1",
        "reason": "truncated",
        "model": "small",
        "digits": "",
        "review": "",
    }


def test_a_table_has_one_line_an_image_whatever_its_name() -> None:
    stream = io.StringIO()
    write_table(_RESULTS, stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 + len(_RESULTS)
    assert "\x1b" not in stream.getvalue()
    starts = {line.index(name) for line, name in zip(lines, ["path", "a.png"], strict=False)}
    assert len(starts) == 1


def test_parquet_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_parquet(_RESULTS, tmp_path / "r.parquet")
    table = pq.read_table(tmp_path / "r.parquet")
    assert table.num_rows == len(_RESULTS)
    assert table["path"].to_pylist()[:5] == _NAMES[:5]
    assert table["label"].to_pylist() == [7] * len(_NAMES) + [None]
    assert table["reason"].to_pylist()[-1] == "truncated"
    assert set(table["model"].to_pylist()) == {"small"}


def test_a_job_without_results_still_makes_a_parquet_file(tmp_path: Path) -> None:
    write_parquet([], tmp_path / "r.parquet")
    assert pq.read_table(tmp_path / "r.parquet").column_names[0] == "path"


def test_a_file_is_replaced_only_once_its_draft_is_complete(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    output.write_text("old")

    def fail_midway() -> None:
        with replacing(output) as draft:
            draft.write_text("half")
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        fail_midway()
    assert output.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(DigitlineError, match=r"no/out\.csv cannot be written: No such file"),
        replacing(tmp_path / "no" / "out.csv") as draft,
    ):
        draft.write_text("new")


def test_a_device_is_written_to_and_not_replaced() -> None:
    with replacing(Path(os.devnull)) as draft:
        assert draft == Path(os.devnull)
    assert not Path(os.devnull).is_file()
