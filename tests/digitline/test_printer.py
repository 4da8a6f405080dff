"""What the processes of `digitline up` say is printed whatever happens to their logs, and the logs stay small."""

from __future__ import annotations

import errno
import io
from datetime import datetime
from pathlib import Path
from typing import Never

import pytest
from honcho.printer import Message

from digitline import printer as printers
from digitline.printer import LoggingPrinter

_NOON = datetime(2026, 1, 1, 12)


def line(text: bytes | str, name: str = "worker") -> Message:
    """A line as honcho hands it over."""
    return Message("line", text, _NOON, name, None)


def test_a_line_is_printed_and_kept_with_its_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LoggingPrinter.writing_to(tmp_path) as printer:
        printer.write(line(b"50 scored\n"))
        printer.write(line("caf\u00e9 \n"))
    assert capsys.readouterr().out == "12:00:00 worker | 50 scored\n12:00:00 worker | caf\u00e9 \n"
    kept = (tmp_path / "worker.log").read_text(encoding="utf-8")
    assert kept == "2026-01-01 12:00:00 50 scored\n2026-01-01 12:00:00 caf\u00e9\n"


def test_a_log_goes_on_where_the_last_start_ended(tmp_path: Path) -> None:
    for text in ("one\n", "two\n"):
        with LoggingPrinter.writing_to(tmp_path) as printer:
            printer.write(line(text))
    assert len((tmp_path / "worker.log").read_text().splitlines()) == 2


def test_a_full_disk_is_told_once_and_every_line_is_still_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "worker.log").symlink_to("/dev/full")
    with LoggingPrinter.writing_to(tmp_path) as printer:
        for number in range(3):
            printer.write(line(f"line {number}\n"))
            printer.write(line(f"line {number}\n", name="scheduler"))
    out = capsys.readouterr().out
    assert all(out.count(f"line {number}") == 2 for number in range(3))
    assert out.count("worker.log is given up, for it cannot be written: No space left on device.") == 1
    assert len((tmp_path / "scheduler.log").read_text().splitlines()) == 3


def test_a_stdout_on_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, LoggingPrinter.writing_to(tmp_path) as printer:
        printer.output = io.TextIOWrapper(full)
        printer.write(line("one\n"))
        printer.write(line("two\n"))
        printer.output.detach()
    assert len((tmp_path / "worker.log").read_text().splitlines()) == 2


def test_a_log_that_cannot_be_opened_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "worker.log").mkdir()
    with LoggingPrinter.writing_to(tmp_path) as printer:
        printer.write(line("one\n"))
        printer.write(line("two\n"))
    out = capsys.readouterr().out
    assert [out.count(text) for text in ("one", "two", "given up")] == [1, 1, 1]


def test_a_log_that_cannot_be_put_aside_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Never:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(printers, "LOG_BYTES", 10)
    monkeypatch.setattr("os.rename", full)
    with LoggingPrinter.writing_to(tmp_path) as printer:
        for number in range(3):
            printer.write(line(f"line {number}\n"))
    out = capsys.readouterr().out
    assert [out.count(text) for text in ("line 0", "line 1", "line 2", "given up")] == [1, 1, 1, 1]


def test_old_logs_are_put_aside_and_only_some_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printers, "LOG_BYTES", 1000)
    with LoggingPrinter.writing_to(tmp_path) as printer:
        for number in range(500):
            printer.write(line(f"line {number}\n"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["worker.log", "worker.log.1", "worker.log.2", "worker.log.3"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert (tmp_path / "worker.log").read_text().endswith("line 499\n")
