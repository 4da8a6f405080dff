"""What native libraries say at import stays out of the terminal, what matters does not."""

from __future__ import annotations

import os
import sys

import pytest

from core.quiet import without_native_chatter


def _import_something_loud() -> None:
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")
    os.write(2, b"I0000 00:00:1795360821.370463   10368 port.cc:153] oneDNN custom operations are on.\n")
    os.write(2, b"E0000 00:00:1795360824.527085   10368 a.cc:52] this matters\n")
    print("and so does this", file=sys.stderr)


def test_chatter_is_dropped_and_all_else_let_through(capfd: pytest.CaptureFixture[str]) -> None:
    with without_native_chatter():
        _import_something_loud()
    # capfd has a stderr of its own for Python, so that the order is not the terminal's.
    assert sorted(capfd.readouterr().err.splitlines()) == [
        "E0000 00:00:1795360824.527085   10368 a.cc:52] this matters",
        "and so does this",
    ]


def test_what_was_said_before_a_failure_is_let_through(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with without_native_chatter():
            os.write(2, b"the reason\n")
            raise ImportError("no library")

    with pytest.raises(ImportError, match="no library"):
        fail()
    assert capfd.readouterr().err == "the reason\n"
