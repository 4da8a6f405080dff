"""File names and messages as one harmless line of text, whatever characters they hold."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with every character that a terminal does not print as itself written as an escape.

    Newlines, control characters, direction marks and bytes that are no UTF-8 become `\\n`, `\\x1b`, `\\u202e`, `\\udcff`.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def encodable(text: str) -> str:
    """The text with bytes that are no UTF-8 written as `\\udcff`, so that every file format takes it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
