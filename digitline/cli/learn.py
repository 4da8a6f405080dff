"""The verbs that make models and measure them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from classifier.artifact import shipped_model
from core.errors import SettingsError
from core.settings import get_settings
from core.vocabulary import DIGITS
from digitline.bar import step_bar
from digitline.cli.lazy import Later
from digitline.cli.screen import facts, percent, screen, table
from digitline.export import replacing
from digitline.records import as_json

if TYPE_CHECKING:
    from classifier import predict
    from training import compare as comparison
    from training import dataset as datasets
    from training import evaluate as measuring
    from training import recipe as recipes
    from training import report as pages
    from training import train as trainer
    from training import tune as search
else:
    predict = Later("classifier.predict")
    comparison = Later("training.compare")
    datasets = Later("training.dataset")
    measuring = Later("training.evaluate")
    recipes = Later("training.recipe")
    pages = Later("training.report")
    trainer = Later("training.train")
    search = Later("training.tune")

Data = Annotated[
    Path | None,
    typer.Option(help="Folder of MNIST's four IDX files; default: DIGITLINE_DATA, else Keras downloads them."),
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def train(
    data: Data = None,
    output: Annotated[
        Path | None, typer.Option(help="Model folder to write; default: in models/ of the home, named by time.")
    ] = None,
    architecture: Annotated[str | None, typer.Option(help="Default: as the shipped model's.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Times that every digit is seen; default: as for the shipped model.")
    ] = None,
    seed: Seed = 3,
    json: Json = False,
) -> None:
    """Train a model on MNIST's training digits and write its folder.

    The test digits are looked at once, at the end, for the card. `digitline models add` makes the model known.
    """
    usual = recipes.Recipe()
    recipe = dataclasses.replace(
        usual, architecture=architecture or usual.architecture, epochs=epochs or usual.epochs, seed=seed
    )
    folder = output or _new_folder(recipe.architecture)
    command = (
        f"digitline train --data DIR --output DIR --architecture {recipe.architecture} "
        f"--epochs {recipe.epochs} --seed {recipe.seed}"
    )
    source = _data(data)
    with _progress("training") as progress:
        card = trainer.train(source, folder, recipe=recipe, command=command, progress=progress)
    if json:
        print(as_json({"folder": str(folder), **card.as_dict()}))
        return
    figures = {"validation": card.validation, "test": card.test}
    accuracies = [(f"{part} accuracy", f"{figure['accuracy']:.2%}") for part, figure in figures.items()]
    screen().print(facts([("model", card.name), *accuracies, ("folder", str(folder))]))


def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(
            help="MNIST's IDX files, of which the test digits are read, or class folders 0/ to 9/ of images; "
            "default: DIGITLINE_DATA, else Keras downloads MNIST."
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model folder; default: DIGITLINE_MODEL, else the shipped one.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="HTML page to write, with plots.")] = None,
    json: Json = False,
) -> None:
    """Measure a model on digits that it has not seen: accuracy, precision, recall, F1, confusion, calibration."""
    settings = get_settings()
    digits = _digits(_data(data))
    folder = model or settings.model or shipped_model()
    predictor = predict.Predictor(folder, batch_size=settings.batch_size)
    evaluation = measuring.evaluate(predictor, digits.images, digits.labels)
    if output is not None:
        with replacing(output) as draft:
            page = pages.evaluation_page(evaluation, title="Evaluation", facts={"Model": predictor.card.name})
            draft.write_text(page, encoding="utf-8")
    if json:
        print(as_json(evaluation.as_dict()))
    else:
        _print_evaluation(predictor.card.name, evaluation)


def compare(
    data: Data = None,
    samples: Annotated[int, typer.Option(min=100, help="Training digits for every method.")] = 10_000,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the network.")] = 5,
    seed: Seed = 3,
    json: Json = False,
) -> None:
    """Train a network, a support vector machine and a random forest on the same digits, and compare them."""
    source = _data(data)
    with _progress("comparing") as progress:
        rows = comparison.compare(source, samples=samples, epochs=epochs, seed=seed, progress=progress)
    if json:
        print(as_json([row.as_dict() for row in rows]))
        return
    columns = ("method", "accuracy", "macro F1", "trained in", "images/s", "size")
    cells = (
        (
            row.name,
            percent(row.accuracy),
            f"{row.macro_f1:.4f}",
            f"{row.fit_seconds:.1f} s",
            f"{row.images_per_second:,.0f}",
            f"{row.size / 1e6:.2f} MB",
        )
        for row in rows
    )
    screen().print(table(columns, cells, numbers=columns[1:]))


def tune(
    data: Data = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where finished trials are kept, to go on from; default: tuning/ in the home."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Recipes to try.")] = 12,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of every trial.")] = 4,
    samples: Annotated[int, typer.Option(min=100, help="Training digits of every trial.")] = 10_000,
    seed: Seed = 3,
    json: Json = False,
) -> None:
    """Search for a better recipe by chance, measured on validation digits; the test digits stay out of it."""
    source = _data(data)
    kept = folder or get_settings().home_folder / "tuning"
    with _progress("tuning") as progress:
        found = search.tune(source, kept, trials=trials, epochs=epochs, samples=samples, seed=seed, progress=progress)
    if json:
        print(as_json([trial.as_dict() for trial in found]))
        return
    columns = ("trial", "architecture", "accuracy", "loss", "batch", "learning rate", "dropout", "seconds")
    cells = (
        (
            str(trial.number),
            trial.architecture,
            percent(trial.validation_accuracy),
            f"{trial.validation_loss:.4f}",
            str(trial.batch_size),
            f"{trial.learning_rate:.2e}",
            f"{trial.dropout:.2f}",
            f"{trial.seconds:.0f}",
        )
        for trial in found
    )
    screen().print(table(columns, cells, numbers=[name for name in columns if name != "architecture"]))


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command(epilog="Example: digitline train --data mnist/ --epochs 10 --output models/mine")(train)
    app.command(epilog="Example: digitline evaluate --data mnist/ --json")(evaluate)
    app.command(epilog="Example: digitline compare --data mnist/ --samples 5000")(compare)
    app.command(epilog="Example: digitline tune --data mnist/ --trials 20")(tune)


def _data(given: Path | None) -> Path | None:
    data = given or get_settings().data
    if data is not None and not data.is_dir():
        raise SettingsError(f"There is no folder {data}.", mend="Name the folder of the data with --data.")
    return data


def _new_folder(architecture: str) -> Path:
    return get_settings().home_folder / "models" / f"{architecture}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _digits(data: Path | None) -> datasets.Digits:
    if data is not None and any((data / str(digit)).is_dir() for digit in range(DIGITS)):
        return datasets.load_folder(data)
    return datasets.prepare_all(datasets.load_mnist(data).test)


@contextmanager
def _progress(what: str) -> Iterator[recipes.Progress]:
    with step_bar() as bar:
        task = bar.add_task(what, total=None)

        def note(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=message)

        yield note


def _print_evaluation(name: str, evaluation: measuring.Evaluation) -> None:
    console = screen()
    error = evaluation.calibration_error
    summary = [
        ("model", name),
        ("images", f"{evaluation.images:,}"),
        ("accuracy", percent(evaluation.accuracy)),
        ("macro precision", percent(evaluation.macro_precision)),
        ("macro recall", percent(evaluation.macro_recall)),
        ("macro F1", percent(evaluation.macro_f1)),
        ("calibration error", "" if error is None else f"{error:.4f}"),
    ]
    console.print(facts(summary))
    console.print()
    columns = ("digit", "precision", "recall", "F1", "images", *(f"as {digit}" for digit in range(DIGITS)))
    rows = (
        (
            str(digit),
            percent(score.precision),
            percent(score.recall),
            percent(score.f1),
            f"{score.images:,}",
            *(str(count) for count in evaluation.confusion_matrix[digit]),
        )
        for digit, score in enumerate(evaluation.per_class)
    )
    console.print(table(columns, rows, numbers=columns))
