"""The command line: what `digitline` runs."""

from __future__ import annotations

import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import typer

from core.errors import DigitlineError
from core.plain import printable
from digitline.cli.lazy import LazyGroup

#: Exit codes beside 0; usage errors are 2 (Typer's), an interrupt is 130.
FAILED = 1
BROKEN = 70

app = typer.Typer(
    name="digitline",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings are variables DIGITLINE_*, such as DIGITLINE_HOME; `digitline doctor` checks them.",
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"digitline {version('digitline')}")
        raise typer.Exit


@app.callback()
def digitline(
    _: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Reads handwritten digits in bulk: folders in, labels, confidences and confusion matrices out."""


def main() -> None:
    """Run the command line; every error a person can mend is one line on stderr."""
    _never_fail_to_print()
    try:
        app(prog_name="digitline")
    except DigitlineError as error:
        print(f"digitline: {printable(f'{error} {error.mend}'.strip())}", file=sys.stderr)
        sys.exit(FAILED)
    except PermissionError as error:
        # Wherever a folder is another user's.
        where = printable(str(error.filename or error))
        print(f"digitline: {where} may not be used. Mend its rights, or name another place.", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:  # noqa: BLE001
        # The last resort: whatever this is, it is a bug, and its traceback is what helps to find it.
        traceback.print_exc()
        sys.exit(BROKEN)


def _never_fail_to_print() -> None:
    """Write what the terminal's encoding lacks as escapes; Python does so on stderr already."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
