"""Hostile names become one harmless line."""

from __future__ import annotations

import pytest

from core.plain import encodable, printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b.png", "a b.png"),
        ("café.png", "café.png"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udcff", r"\udcff"),
        ("\x7f\x85", r"\x7f\x85"),
    ],
)
def test_what_a_terminal_would_obey_is_written_as_an_escape(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_bytes_that_are_no_utf8_are_made_encodable_and_nothing_else_is_changed() -> None:
    assert encodable("caf\udce9 é\n") == "caf\\udce9 é\n"
    assert encodable("caf\udce9").encode() == b"caf\\udce9"
