"""A job's end in the terminal: accounts, scores, confusion matrix, speed."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from core.vocabulary import DIGITS
from digitline.handle import JobHandle
from digitline.pace import images_per_second
from training.evaluate import score_matrix


def print_scoreboard(console: Console, handle: JobHandle) -> None:
    """Print what became of a job; the scores only where true labels are known."""
    accounts = handle.accounts
    balance = "=" if accounts.balanced else "[red]is not[/]"
    console.print(
        f"\n[bold]Accounts[/]  found {accounts.found:,} {balance} scored {accounts.scored:,}"
        f" + rejected {accounts.rejected:,} + quarantined {accounts.quarantined:,}"
    )
    if handle.record.labelled:
        _print_scores(console, handle)
    rate = images_per_second(handle.record)
    if rate is not None:
        console.print(f"[bold]Speed[/]     {rate:,.0f} images/s, from the first claim to the last commit")


def _print_scores(console: Console, handle: JobHandle) -> None:
    matrix = handle.confusion_matrix()
    scores = score_matrix(matrix)
    console.print(
        f"[bold]Accuracy[/]  {scores.accuracy:.4f}   macro precision {scores.macro_precision:.4f}"
        f"   recall {scores.macro_recall:.4f}   F1 {scores.macro_f1:.4f}"
    )
    console.print("\n[bold]Confusion matrix[/], summed over the batches: rows actual, columns predicted")
    table = Table("", box=box.SIMPLE_HEAD, pad_edge=False)
    for digit in range(DIGITS):
        table.add_column(str(digit), justify="right")
    for actual, row in enumerate(matrix.tolist()):
        cells = (_cell(count, actual == predicted) for predicted, count in enumerate(row))
        table.add_row(f"[bold]{actual}[/]", *cells)
    console.print(table)


def _cell(count: int, right: bool) -> str:
    if count == 0:
        return "[dim]·[/]"
    return f"[green]{count}[/]" if right else f"[red]{count}[/]"
