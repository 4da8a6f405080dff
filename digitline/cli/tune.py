"""The verb that searches for a better recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from core.errors import SettingsError
from core.settings import get_settings
from digitline.cli.data import find_data, step_progress, writable_folder
from digitline.cli.lazy import Later
from digitline.cli.options import Data, Json, Seed
from digitline.cli.screen import duration, facts, percent, screen, table
from digitline.records import as_json

if TYPE_CHECKING:
    from training import excerpt as excerpts
    from training import search_figures as figures
    from training import space as spaces
    from training import tune as search
else:
    excerpts = Later("training.excerpt")
    figures = Later("training.search_figures")
    spaces = Later("training.space")
    search = Later("training.tune")

#: Trials that are printed; `--json` prints all.
_SHOWN = 10

#: Panel of the help.
_SPACE = "What is searched"


def _range(option: str, what: str, default: str) -> Any:
    return typer.Option(option, metavar="LOW HIGH", help=f"{what}; default: {default}.", rich_help_panel=_SPACE)


Output = Annotated[
    Path | None,
    typer.Option(help="Folder to keep the search in, and to go on with it; default: tuning/ in the home."),
]
Trials = Annotated[int, typer.Option(min=1, help="Recipes to try in all, those of earlier calls too.")]
Minutes = Annotated[float | None, typer.Option(min=0, help="After these no trial is begun; default: all trials.")]
Epochs = Annotated[int, typer.Option(min=1, help="Epochs of every trial.")]
Samples = Annotated[int, typer.Option(min=100, help="Training digits of every trial, at most.")]
Architectures = Annotated[
    str | None, typer.Option(help="Names with commas between; default: cnn-s,cnn-fast.", rich_help_panel=_SPACE)
]
BatchSizes = Annotated[
    str | None, typer.Option(help="Numbers with commas between; default: 64,128,256.", rich_help_panel=_SPACE)
]
Range = tuple[float, float] | None
LearningRate = Annotated[Range, _range("--learning-rate", "Highest learning rate", "0.0003 0.01")]
Dropout = Annotated[Range, _range("--dropout", "Share of features dropped", "0 0.5")]
WeightDecay = Annotated[Range, _range("--weight-decay", "Decoupled weight decay", "0.0001 0.1")]
Smoothing = Annotated[Range, _range("--label-smoothing", "Share of the target given to wrong classes", "0 0.1")]


def tune(
    data: Data = None,
    output: Output = None,
    trials: Trials = 24,
    minutes: Minutes = None,
    epochs: Epochs = 4,
    samples: Samples = 10_000,
    seed: Seed = 3,
    architectures: Architectures = None,
    batch_sizes: BatchSizes = None,
    learning_rate: LearningRate = None,
    dropout: Dropout = None,
    weight_decay: WeightDecay = None,
    label_smoothing: Smoothing = None,
    json: Json = False,
) -> None:
    """Search for a better recipe, measured on validation digits; the test digits stay out of it.

    A search that was ended, however that was, goes on where it stood when the same call is made again.
    `digitline train --from-trial FOLDER` trains the best recipe on all digits.
    """
    source = find_data(data)
    space = _space(
        architectures=None if architectures is None else _names(architectures),
        batch_sizes=None if batch_sizes is None else _numbers(batch_sizes),
        learning_rate=learning_rate,
        dropout=dropout,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
    )
    budget = search.Budget(trials=trials, seconds=None if minutes is None else 60 * minutes, epochs=epochs)
    folder = writable_folder(output or get_settings().home_folder / "tuning", "--output")
    with step_progress("tuning") as progress:
        parts = excerpts.excerpt(source, samples=samples, seed=seed)
        found = search.tune(parts, folder, space=space, budget=budget, seed=seed, progress=progress)
    _show(found, folder, seed=seed, json=json)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline tune --data mnist/ --trials 20 --architectures cnn-xs,cnn-s")(tune)


def _space(**given: Any) -> spaces.Space:
    """The space of the options that were given; where one was not, its default."""
    return spaces.Space(**{name: value for name, value in given.items() if value is not None})


def _show(found: Sequence[search.Trial], folder: Path, *, seed: int, json: bool) -> None:
    shares = search.importance(folder, seed=seed)
    drawn = figures.write_figures(found, shares, folder)
    if json:
        trials = [trial.as_dict() for trial in found]
        files = [file.name for file in drawn]
        print(as_json({"folder": str(folder), "trials": trials, "importance": shares, "figures": files}))
        return
    console = screen()
    console.print(_table(found[:_SHOWN]))
    if len(found) > _SHOWN:
        console.print(f"The best {_SHOWN} of {len(found)} trials; --json prints all.")
    said = ", ".join(f"{name.replace('_', ' ')} {percent(share, 0)}" for name, share in shares.items())
    complete = sum(trial.state == "complete" for trial in found)
    train = f"digitline train --from-trial {folder}" if found else ""
    plots = ", ".join(file.name for file in drawn)
    console.print(
        facts(
            [
                (f"what mattered, of {complete} trials", said),
                ("folder", str(folder)),
                ("plots", plots),
                ("to train it", train),
            ]
        )
    )


def _table(trials: Sequence[search.Trial]) -> Table:
    columns = (
        "trial", "state", "architecture", "accuracy", "loss", "batch", "learning rate", "dropout", "weight decay",
        "smoothing", "epochs", "time",
    )  # fmt: skip
    cells = (
        (
            trial.number,
            trial.state,
            trial.architecture,
            percent(trial.validation_accuracy),
            "" if trial.validation_loss is None else f"{trial.validation_loss:.4f}",
            trial.batch_size,
            f"{trial.learning_rate:.2e}",
            f"{trial.dropout:.2f}",
            f"{trial.weight_decay:.2e}",
            f"{trial.label_smoothing:.3f}",
            trial.epochs,
            duration(trial.seconds),
        )
        for trial in trials
    )
    return table(columns, cells, numbers=[name for name in columns if name not in {"state", "architecture"}])


def _names(given: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in given.split(",")) if name)


def _numbers(given: str) -> tuple[int, ...]:
    try:
        return tuple(int(name) for name in _names(given))
    except ValueError:
        raise SettingsError(
            f"{given!r} is no list of batch sizes.", mend="Give whole numbers, such as 64,128."
        ) from None
