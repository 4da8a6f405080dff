"""The verb that exports a model to the runtimes other than Keras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifier.artifact import Card
from digitline.cli.data import find_data
from digitline.cli.lazy import Later
from digitline.cli.options import Data, Json
from digitline.cli.screen import percent, screen, table
from digitline.records import as_json

if TYPE_CHECKING:
    from training import dataset as datasets
    from training import reexport as exporter
else:
    datasets = Later("training.dataset")
    exporter = Later("training.reexport")

_COLUMNS = ("runtime", "digits", "images", "same label", "same verdict", "read right")


def export(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Model folder: card.json and the networks it names.")
    ],
    output: Annotated[Path, typer.Argument(metavar="NEW", help="Model folder to write.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Write a model's folder once more, with what DIGITLINE_RUNTIME=litert and litert-int8 read; `train` does so by itself.

    The exported networks are measured beside Keras's, on digits that none was trained on. Where litert gives fewer than
    99.99 % of them the same label, nothing is written. `digitline models add NEW` makes the exported model known.
    """
    card = exporter.reexport(folder, output, datasets.load_dataset(find_data(data)))
    if json:
        print(as_json({"folder": str(output), "agreement": card.as_dict()["agreement"]}))
        return
    _print(card)
    screen().print(f"Written to {output}")


def _print(card: Card) -> None:
    rows = (
        (runtime, part, one.images, percent(one.labels), percent(one.verdicts), percent(one.accuracy))
        for runtime, parts in card.agreement.items()
        for part, one in parts.items()
    )
    screen().print(table(_COLUMNS, rows, numbers=_COLUMNS[2:]))
