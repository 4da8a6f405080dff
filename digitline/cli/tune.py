"""The verb that searches for a better recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from core.errors import SettingsError
from core.settings import get_settings
from digitline.cli.data import Data, Json, Seed, find_data, step_progress, writable_folder
from digitline.cli.lazy import Later
from digitline.cli.screen import duration, facts, percent, screen, table
from digitline.records import as_json

if TYPE_CHECKING:
    from training import search_figures as figures
    from training import space as spaces
    from training import tune as search
else:
    figures = Later("training.search_figures")
    spaces = Later("training.space")
    search = Later("training.tune")

#: Trials that are printed; `--json` prints all.
_SHOWN = 10

Range = tuple[float, float] | None
_SPACE = "What is searched"


def _range(option: str, what: str, default: str) -> Any:
    return typer.Option(option, metavar="LOW HIGH", help=f"{what}; default: {default}.", rich_help_panel=_SPACE)


def tune(
    data: Data = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the search is kept, to go on with it; default: tuning/ in the home."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Recipes to try in all, those of earlier calls too.")] = 24,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Minutes after which no further trial is begun; default: all trials.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of every trial.")] = 4,
    samples: Annotated[int, typer.Option(min=100, help="Training digits of every trial, at most.")] = 10_000,
    seed: Seed = 3,
    architectures: Annotated[
        str | None,
        typer.Option(help="Names with commas between; default: cnn-s,cnn-fast.", rich_help_panel=_SPACE),
    ] = None,
    batch_sizes: Annotated[
        str | None, typer.Option(help="Numbers with commas between; default: 64,128,256.", rich_help_panel=_SPACE)
    ] = None,
    learning_rate: Annotated[Range, _range("--learning-rate", "Highest learning rate", "0.0003 0.01")] = None,
    dropout: Annotated[Range, _range("--dropout", "Share of features dropped", "0 0.5")] = None,
    weight_decay: Annotated[Range, _range("--weight-decay", "Decoupled weight decay", "0.0001 0.1")] = None,
    label_smoothing: Annotated[
        Range, _range("--label-smoothing", "Share of the target given to wrong classes", "0 0.1")
    ] = None,
    json: Json = False,
) -> None:
    """Search for a better recipe, measured on validation digits; the test digits stay out of it.

    A search that was ended, however that was, goes on where it stood when the same call is made again.
    `digitline train --from-trial FOLDER` trains the best recipe on all digits.
    """
    ranges = {
        "learning_rate": learning_rate,
        "dropout": dropout,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
    }
    source = find_data(data)
    space = _space(architectures, batch_sizes, ranges)
    budget = search.Budget(trials=trials, seconds=None if timeout is None else 60 * timeout, epochs=epochs)
    kept = writable_folder(folder or get_settings().home_folder / "tuning", "--folder")
    with step_progress("tuning") as progress:
        found = search.tune(source, kept, space=space, budget=budget, samples=samples, seed=seed, progress=progress)
    _show(found, kept, seed=seed, json=json)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline tune --data mnist/ --trials 20 --architectures cnn-xs,cnn-s")(tune)


def _space(architectures: str | None, batch_sizes: str | None, ranges: Mapping[str, Range]) -> spaces.Space:
    """The space of the options that were given; where one was not, its default."""
    given: dict[str, Any] = {
        "architectures": None if architectures is None else _names(architectures),
        "batch_sizes": None if batch_sizes is None else _numbers(batch_sizes),
        **ranges,
    }
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
            str(trial.number),
            trial.state,
            trial.architecture,
            percent(trial.validation_accuracy),
            "" if trial.validation_loss is None else f"{trial.validation_loss:.4f}",
            str(trial.batch_size),
            f"{trial.learning_rate:.2e}",
            f"{trial.dropout:.2f}",
            f"{trial.weight_decay:.2e}",
            f"{trial.label_smoothing:.3f}",
            str(trial.epochs),
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
