"""Tables and lines for people: fitted into a terminal, plain and complete where the output goes elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from core.plain import printable
from digitline.records import as_json

#: Columns where there is no terminal: more than any line has, so that nothing is cut.
_UNLIMITED = 100_000

#: What a table shows in a cell: text from anywhere, a number, text of our own with its style; None: nothing.
Cell = str | int | Text | None


def screen(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: no markup, no highlighting, no emoji."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console


def tell(record: object, said: RenderableType, *, json: bool) -> None:
    """Print a record as JSON for scripts, or else what people read of it."""
    if json:
        print(as_json(record))
    else:
        screen().print(said)


def busy(what: str) -> AbstractContextManager[object]:
    """Say on stderr what is being done as long as a `with` lasts; where there is no terminal, say nothing."""
    return screen(stderr=True).status(f"{what} ...")


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, numbers: Iterable[str] = ()) -> Table:
    """A table; file names in it stay one harmless line each.

    Args:
        columns: their titles.
        rows: a cell for each column.
        numbers: the columns that are set flush right.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    right = frozenset(numbers)
    for title in columns:
        made.add_column(title, justify="right" if title in right else "left", no_wrap=title in right, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else _text(cell) for cell in row))
    return made


def facts(pairs: Iterable[tuple[str, str | None]]) -> Table:
    """Names and their values, one pair a line; pairs without a value are left out."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            made.add_row(name, Text(printable(value)))
    return made


def _text(cell: str | int | None) -> Text:
    return Text("" if cell is None else printable(str(cell)))


def counted(number: int, what: str) -> str:
    """So many of something: `1 job`, `2,000 jobs`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def percent(share: float | None, digits: int = 2) -> str:
    """A share as a percentage; empty where there is none."""
    return "" if share is None else f"{share:.{digits}%}"


def moment(when: datetime | None) -> str:
    """A moment in this host's time zone; empty where there is none."""
    return "" if when is None else when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """Seconds as a person says them; empty where there are none."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def rate(images_per_second: float | None) -> str:
    """Images a second; empty where it is not known."""
    return "" if images_per_second is None else f"{images_per_second:,.0f}/s"
