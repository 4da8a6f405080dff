"""How a bench is run from the command line."""

from __future__ import annotations

import sys

import typer

from core.errors import DigitlineError


def run(app: typer.Typer, name: str) -> None:
    """Run a command line; an error that a person can mend is one line on stderr.

    Args:
        app: the commands.
        name: of the bench's package.
    """
    try:
        app(prog_name=f"python -m {name}")
    except DigitlineError as error:
        print(f"{error} {error.mend}".strip(), file=sys.stderr)
        sys.exit(1)
