"""The verb that checks whether everything is in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from digitline.cli.options import Json
from digitline.cli.screen import Cell, table, tell
from digitline.doctor import PATIENCE, Finding, Severity, consult

_MARKS = {Severity.OK: Text("ok", "green"), Severity.WARNING: Text("hm", "yellow"), Severity.FAULT: Text("no", "red")}
#: Exit codes: something is wrong; nothing is, but there are warnings. 2 is a command line that makes no sense.
_WRONG, _WARNED = 1, 3


def doctor(
    end_to_end: Annotated[
        bool, typer.Option("--end-to-end", help="Send sample digits through the whole line as well.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that those digits get.")] = PATIENCE,
    json: Json = False,
) -> None:
    """Check that everything is in order; names what is not, and how to mend it.

    Exit code 0: everything is. 1: something is wrong. 3: nothing is wrong yet, but there are warnings.
    """
    findings = consult(timeout if end_to_end else None)
    tell([finding.as_dict() for finding in findings], _table(findings), json=json)
    severities = {finding.severity for finding in findings}
    if Severity.FAULT in severities:
        raise typer.Exit(_WRONG)
    raise typer.Exit(_WARNED if Severity.WARNING in severities else 0)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Examples: digitline doctor    digitline doctor --end-to-end")(doctor)


def _table(findings: list[Finding]) -> Table:
    return table(("", "what", "finding", "mend"), _rows(findings))


def _rows(findings: list[Finding]) -> Iterator[tuple[Cell, ...]]:
    """A row for each; a fault that keeps several parts from being checked is told once."""
    told: dict[str, str] = {}
    for one in findings:
        first = told.setdefault(one.finding, one.what)
        said = (one.finding, one.mend) if first == one.what else (f"see {first}", "")
        yield _MARKS[one.severity], one.what, *said
