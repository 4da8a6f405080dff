"""The verb that makes a model."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from classifier.artifact import Card
from core.errors import DatasetError, DigitlineError, RecipeError
from core.ledger.corrected import Reviewed
from core.settings import get_settings
from core.vocabulary import Verdict
from digitline import client
from digitline.cli.data import MOST_SEED, Data, Json, find_data, step_progress, writable_folder
from digitline.cli.lazy import Later
from digitline.cli.screen import facts, screen
from digitline.connection import open_line
from digitline.plain import printable
from digitline.records import as_json

if TYPE_CHECKING:
    from digitline import corrected
    from training import dataset as datasets
    from training import fit as fitting
    from training import lessons as lessons_of
    from training import recipe as recipes
    from training import train as trainer
    from training import tune as search
else:
    corrected = Later("digitline.corrected")
    datasets = Later("training.dataset")
    fitting = Later("training.fit")
    lessons_of = Later("training.lessons")
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
    with_corrections: Annotated[
        bool, typer.Option("--with-corrections", help="Learn as well from the images that people reviewed.")
    ] = False,
    job: Annotated[
        list[str] | None, typer.Option(help="Job whose reviewed images are learned from; default: all of them.")
    ] = None,
    corrections_weight: Annotated[
        float | None,
        typer.Option(
            min=0, max=10_000, help="How often each of those counts; default: 10 times, of many less (docs/review.md)."
        ),
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
    if not with_corrections and (job or corrections_weight is not None):
        raise typer.BadParameter("--job and --corrections-weight go with --with-corrections.", param_hint="--job")
    more = {
        "own": "DIR" if own else None,
        "own-weight": own_weight if own else None,
        "with-corrections": with_corrections or None,
        "job": job,
        "corrections-weight": corrections_weight,
    }
    source = find_data(data)
    overrides = {"architecture": architecture, "epochs": epochs, "seed": seed}
    chosen = _overridden(_recipe(recipe, from_trial), overrides)
    folder = writable_folder(output or _new_folder(chosen), "--output")
    log = None if tensorboard is None else writable_folder(tensorboard, "--tensorboard")
    if output is None:
        screen(stderr=True).print(f"Writing {folder}; if it is killed, go on with --output {folder}", markup=False)
    lessons = _lessons(job) if with_corrections else None
    with step_progress("training") as progress:
        card = trainer.train(
            source,
            folder,
            recipe=chosen,
            own=None if own is None else datasets.load_folder(own),
            own_weight=own_weight,
            lessons=lessons,
            lessons_weight=corrections_weight,
            command=_command(recipe, from_trial, overrides, more, deterministic),
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


def _lessons(references: list[str] | None) -> lessons_of.Lessons:
    """Load what people reviewed in these jobs, or in all; what cannot be learned from is told by name."""
    database = open_line().database
    database.check_revision()
    jobs = [client.job(one).id for one in references] if references else None
    images = corrected.reviewed_images(database, jobs)
    if not images:
        of = "any job" if jobs is None else f"job {', '.join(map(str, jobs))}"
        raise DatasetError(f"No image of {of} has been reviewed.", mend="Review some: digitline correct, or the page.")
    console = screen(stderr=True)
    with corrected.Files(get_settings()) as files:
        found = lessons_of.prepare_lessons(_labelled(images, files, console), max_pixels=get_settings().max_pixels)
    for sentence in found.refused:
        console.print(f"Left out: {printable(sentence)}")
    return found


def _labelled(images: list[Reviewed], files: corrected.Files, console: Console) -> Iterator[tuple[str, bytes, int]]:
    """Paths, bytes and labels of the images that show one digit, or none; of several there is nothing to learn."""
    for image in images:
        if image.word.verdict is Verdict.SEVERAL:
            continue
        try:
            data = files.read(image)
        except DigitlineError as error:
            console.print(f"Left out: {printable(f'{image.path}: {error}')}")
            continue
        yield image.path, data, datasets.NO_DIGIT if image.word.label is None else image.word.label


def _command(
    recipe: str | None,
    from_trial: str | None,
    overrides: Mapping[str, str | int | None],
    more: Mapping[str, object],
    deterministic: bool,
) -> str:
    """The command line that makes the model again, of the options that were given, without paths of this machine."""
    given: dict[str, object] = {
        "recipe": recipe and Path(recipe).stem,
        "from-trial": from_trial and "DIR{1}{2}".format(*_trial(from_trial)),
        **overrides,
        **more,
        "deterministic": deterministic or None,
    }
    words = ["digitline", "train", "--data", "DIR", "--output", "DIR"]
    for name, value in given.items():
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            words.append(f"--{name}")
            words += [] if one is True else [f"{one:g}" if isinstance(one, float) else str(one)]
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
    reviewed = f"{len(card.corrections):,} reviewed images" if card.corrections else ""
    learned = [("learned from", reviewed)]
    screen().print(facts([("model", card.name), *accuracies, *asked, *learned, ("folder", str(folder))]))
