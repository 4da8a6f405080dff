"""docker-compose.yml as a test reads it: with the defaults of its variables, and marks where a secret must be given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "docker-compose.yml"

#: `${NAME:-default}` and `${NAME:?message}`; the file has no other form.
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+):(?P<kind>[-?])(?P<rest>[^}]*)\}")


def variables() -> dict[str, str | None]:
    """The variables that the file reads, and their defaults; None where one must be given."""
    found = VARIABLE.finditer(COMPOSE.read_text())
    return {match["name"]: match["rest"] if match["kind"] == "-" else None for match in found}


def load(**given: str) -> dict[str, Any]:
    """The file with its variables filled in; what is not given and has no default becomes `given-NAME`."""

    def fill(match: re.Match[str]) -> str:
        default = match["rest"] if match["kind"] == "-" else f"given-{match['name']}"
        return given.get(match["name"], default)

    loaded = yaml.safe_load(VARIABLE.sub(fill, COMPOSE.read_text()))
    assert isinstance(loaded, dict)
    return loaded


def services(**given: str) -> dict[str, dict[str, Any]]:
    """The services by name."""
    found = load(**given)["services"]
    assert isinstance(found, dict)
    return found


def seconds(text: str) -> int:
    """A duration such as `30s`."""
    assert text.endswith("s")
    return int(text[:-1])
