"""The systemd units as a test reads them; a key may stand there several times, which configparser does not bear."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.target")])

#: By section and key, every value, in their order.
Unit = dict[str, dict[str, list[str]]]


def load(path: Path) -> Unit:
    """A unit file."""
    unit: Unit = {}
    section = ""
    for line in path.read_text().splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            unit.setdefault(section, {}).setdefault(key, []).append(value)
    return unit


def environment(unit: Unit) -> dict[str, str]:
    """What `Environment=` sets."""
    return dict(word.split("=", 1) for value in unit["Service"].get("Environment", []) for word in value.split())


def seconds(text: str) -> float:
    """A duration such as `30s`."""
    assert text.endswith("s")
    return float(text[:-1])
