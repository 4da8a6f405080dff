"""The verb that measures several methods side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import get_settings
from digitline.cli.data import find_data, step_progress, writable_folder
from digitline.cli.lazy import Later
from digitline.cli.options import Data, Json, Seed
from digitline.cli.screen import duration, facts, percent, screen, table
from digitline.records import as_json

if TYPE_CHECKING:
    from training import compare as comparison
    from training import excerpt as excerpts
    from training import standings
else:
    comparison = Later("training.compare")
    excerpts = Later("training.excerpt")
    standings = Later("training.standings")


def compare(
    data: Data = None,
    samples: Annotated[int, typer.Option(min=100, help="Training digits for every method, at most.")] = 10_000,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the networks.")] = 5,
    seed: Seed = 3,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for table, data, chart and page; default: comparison/ in the home."),
    ] = None,
    json: Json = False,
) -> None:
    """Train two networks (CNN, MLP), an SVM, a random forest and k-NN on the same digits, and compare them.

    They are measured on other digits, the same for all; the test digits stay out of it.
    """
    source = find_data(data)
    folder = writable_folder(output or get_settings().home_folder / "comparison", "--output")
    with step_progress("comparing") as progress:
        parts = excerpts.excerpt(source, samples=samples, seed=seed)
        rows = comparison.compare(parts, epochs=epochs, seed=seed, progress=progress)
    command = f"digitline compare --data DIR --samples {samples} --epochs {epochs} --seed {seed}"
    files = standings.write_standings(rows, folder, facts={"command": command, "epochs": epochs, "seed": seed})
    if json:
        made = {"folder": str(folder), "files": [file.name for file in files]}
        print(as_json({"seed": seed, "epochs": epochs, **made, "rows": [row.as_dict() for row in rows]}))
        return
    _print(rows)
    screen().print(facts([("page", str(folder / f"{standings.NAME}.html")), ("folder", str(folder))]))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline compare --data mnist/ --samples 5000")(compare)


def _print(rows: Sequence[comparison.Row]) -> None:
    columns = ("method", "accuracy", "macro precision", "macro recall", "macro F1", "trained in", "images/s", "size")
    cells = (
        (
            row.name,
            percent(row.accuracy),
            percent(row.macro_precision),
            percent(row.macro_recall),
            f"{row.macro_f1:.4f}",
            duration(row.fit_seconds),
            f"{row.images_per_second:,.0f}",
            f"{row.size / 1e6:.2f} MB",
        )
        for row in rows
    )
    console = screen()
    console.print(table(columns, cells, numbers=columns[1:]))
    console.print(f"Trained on {rows[0].trained_on:,} digits, measured on {rows[0].measured_on:,} others.")
