"""The verb `doctor`."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from digitline.doctor import PATIENCE, Finding, Severity, consult

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_MARKS = {Severity.OK: "[green]ok[/]", Severity.WARNING: "[yellow]hm[/]", Severity.FAULT: "[red]no[/]"}
#: Exit codes: something is wrong; nothing is, but there are warnings. 2 is a command line that makes no sense.
_WRONG, _WARNED = 1, 3


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("doctor")(doctor)


def doctor(
    end_to_end: Annotated[
        bool, typer.Option("--end-to-end", help="Send sample digits through the whole line as well.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that those digits get.")] = PATIENCE,
    as_json: AsJson = False,
) -> None:
    """Check that everything is in order; names what is not, and how to mend it.

    Exit code 0: everything is. 1: something is wrong. 3: nothing is wrong yet, but there are warnings.
    """
    findings = consult(whole_queue=end_to_end, timeout=timeout)
    if as_json:
        print(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        _print(findings)
    severities = {finding.severity for finding in findings}
    if Severity.FAULT in severities:
        raise typer.Exit(_WRONG)
    raise typer.Exit(_WARNED if Severity.WARNING in severities else 0)


def _print(findings: list[Finding]) -> None:
    table = Table("", "what", "finding", "mend", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(_MARKS[finding.severity], finding.what, escape(finding.finding), escape(finding.mend))
    Console(width=None if Console().is_terminal else 200).print(table)
