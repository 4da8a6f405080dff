"""Arguments and options that several verbs have, so that each is called and explained alike everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from core.vocabulary import Labels

#: What NumPy and scikit-learn take for a seed.
MOST_SEED = 2**32 - 1

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object a line, for scripts.")]

JobReference = Annotated[str, typer.Argument(metavar="JOB", help="Its number, or its name: the newest of that name.")]
ModelReference = Annotated[str, typer.Argument(metavar="MODEL", help="Its number, name or alias.")]


class Queue(StrEnum):
    """The queues one may ask for."""

    AUTO = "auto"
    EXPRESS = "express"
    BULK = "bulk"


LabelsFrom = Annotated[
    Labels, typer.Option(help="Where true labels come from: class folders 0/ to 9/, or labels.csv (path,label).")
]
OnQueue = Annotated[Queue, typer.Option(help="auto: express for few images, bulk for many.")]
Split = Annotated[
    bool | None,
    typer.Option(help="Read several digits in a picture as one string; default: DIGITLINE_SPLIT, else no."),
]
MaxRejected = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Pause a job once more than this share of its images is refused; default: DIGITLINE_MAX_REJECTED, "
        "else never.",
    ),
]

Data = Annotated[
    Path | None,
    typer.Option(
        help="Folder of MNIST's four IDX files, or class folders 0/ to 9/ of images; "
        "default: DIGITLINE_DATA, else Keras downloads MNIST."
    ),
]
ModelFolder = Annotated[Path | None, typer.Option(help="Model folder; default: DIGITLINE_MODEL, else the shipped one.")]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="The same seed gives the same result.")]
