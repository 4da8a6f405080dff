"""The verb that makes a model."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classifier.artifact import Card
from core.errors import DatasetError, RecipeError
from core.settings import get_settings
from core.sources import to_path
from digitline import client
from digitline.cli.data import MOST_SEED, Data, Json, find_data, step_progress, writable_folder
from digitline.cli.lazy import Later
from digitline.cli.screen import facts, screen
from digitline.records import as_json

if TYPE_CHECKING:
    from training import dataset as datasets
    from training import fit as fitting
    from training import recipe as recipes
    from training import train as trainer
    from training import tune as search
else:
    datasets = Later("training.dataset")
    fitting = Later("training.fit")
    recipes = Later("training.recipe")
    trainer = Later("training.train")
    search = Later("training.tune")


def train(
    data: Data = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Model folder to write; the same command goes on with a training that was killed there. "
            "Default: in models/ of the home, named by time."
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="TOML file, or name of a shipped recipe; default: one fast network.")
    ] = None,
    from_trial: Annotated[
        str | None, typer.Option(help="FOLDER of `digitline tune`, or FOLDER:NUMBER; default number: the best.")
    ] = None,
    architecture: Annotated[str | None, typer.Option(help="Of the fast network; default: as in the recipe.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Times that every digit is seen; default: as in the recipe.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MOST_SEED, help="Of the fast network; default: as in the recipe, else 3.")
    ] = None,
    own: Annotated[
        Path | None, typer.Option(help="Class folders 0/ to 9/ of images of your own to learn from as well.")
    ] = None,
    corrections: Annotated[
        str | None, typer.Option(help="Job whose corrected images are learned from as well.")
    ] = None,
    own_weight: Annotated[
        float, typer.Option(min=0, max=10_000, help="How often each image of your own counts.")
    ] = 10.0,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same bits every time on one kind of machine, at some cost.")
    ] = False,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder to write a log for TensorBoard into.")] = None,
    json: Json = False,
) -> None:
    """Train a model on MNIST's training digits and write its folder.

    The test digits are looked at once, at the end, for the card. `digitline models add` makes the model known.
    """
    source = find_data(data)
    overrides = {"architecture": architecture, "epochs": epochs, "seed": seed}
    chosen = _overridden(_recipe(recipe, from_trial), overrides)
    folder = writable_folder(output or _new_folder(chosen), "--output")
    log = None if tensorboard is None else writable_folder(tensorboard, "--tensorboard")
    if output is None:
        screen(stderr=True).print(f"Writing {folder}; if it is killed, go on with --output {folder}", markup=False)
    with step_progress("training") as progress:
        card = trainer.train(
            source,
            folder,
            recipe=chosen,
            own=_own(own, corrections),
            own_weight=own_weight,
            command=_command(recipe, from_trial, overrides, own, corrections, own_weight, deterministic),
            run=fitting.Run(progress=progress, tensorboard=log, deterministic=deterministic),
        )
    _show(card, folder, json)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(epilog="Example: digitline train --data mnist/ --epochs 10 --output models/mine")(train)


def _recipe(reference: str | None, from_trial: str | None) -> recipes.ModelRecipe:
    if reference and from_trial:
        raise RecipeError("--recipe and --from-trial name two recipes.", mend="Leave one of them out.")
    if from_trial:
        folder, _, number = _trial(from_trial)
        return recipes.ModelRecipe(fast=search.recipe_of(Path(folder), int(number) if number else None))
    return recipes.read_recipe(reference) if reference else recipes.ModelRecipe()


def _trial(reference: str) -> tuple[str, str, str]:
    """Part FOLDER:NUMBER into folder, colon and number, the last two empty where there is no number."""
    folder, colon, number = reference.rpartition(":")
    return (folder, colon, number) if colon and number.isdecimal() else (reference, "", "")


def _overridden(recipe: recipes.ModelRecipe, overrides: Mapping[str, str | int | None]) -> recipes.ModelRecipe:
    """The recipe with what was given in place of its fast network's own; epochs are for the careful ones too."""
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    epochs = {name: value for name, value in given.items() if name == "epochs"}
    careful = tuple(dataclasses.replace(one, **epochs) for one in recipe.careful)
    return dataclasses.replace(recipe, fast=dataclasses.replace(recipe.fast, **given), careful=careful)


def _own(folder: Path | None, job: str | None) -> datasets.Digits | None:
    """Load what the user adds to MNIST: a folder of class folders, and what was corrected in a job."""
    found = [] if folder is None else [datasets.load_folder(folder)]
    if job is not None:
        handle = client.job(job)
        corrected = [(one.path, one.new_label) for one in handle.corrections()]
        if not corrected:
            raise DatasetError(
                f"Job {handle.id} has no corrected image.",
                mend=f"Say what they show: digitline correct {handle.id} ...",
            )
        digits, refused = datasets.load_readable(to_path(handle.record.source), corrected)
        for sentence in refused:
            screen(stderr=True).print(f"Left out: {sentence}")
        found.append(digits)
    return datasets.joined(found) if found else None


def _command(
    recipe: str | None,
    from_trial: str | None,
    overrides: Mapping[str, str | int | None],
    own: Path | None,
    corrections: str | None,
    own_weight: float,
    deterministic: bool,
) -> str:
    """The command line that makes the model again, of the options that were given, without paths of this machine."""
    given: dict[str, str | float | None] = {
        "recipe": recipe and Path(recipe).stem,
        "from-trial": from_trial and "DIR{1}{2}".format(*_trial(from_trial)),
        **overrides,
        "own": "DIR" if own else None,
        "corrections": corrections,
        "own-weight": own_weight if own or corrections else None,
        "deterministic": deterministic or None,
    }
    words = ["digitline", "train", "--data", "DIR", "--output", "DIR"]
    for name, value in given.items():
        if value is not None:
            words.append(f"--{name}")
            words += [] if value is True else [f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


def _new_folder(recipe: recipes.ModelRecipe) -> Path:
    name = "cascade" if recipe.careful else recipe.fast.architecture
    return get_settings().home_folder / "models" / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _show(card: Card, folder: Path, json: bool) -> None:
    if json:
        print(as_json({"folder": str(folder), **card.as_dict()}))
        return
    figures = {"validation": card.validation, "test": card.test}
    accuracies = [(f"{part} accuracy", f"{figure['accuracy']:.2%}") for part, figure in figures.items()]
    asked = [("passed on", f"{card.test['escalated_share']:.2%}")] if card.careful else []
    screen().print(facts([("model", card.name), *accuracies, *asked, ("folder", str(folder))]))
