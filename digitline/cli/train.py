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
from core.plain import printable
from core.settings import get_settings
from core.vocabulary import Verdict
from digitline import client
from digitline.cli.data import find_data, step_progress, writable_folder
from digitline.cli.lazy import Later
from digitline.cli.options import MOST_SEED, Data, Json
from digitline.cli.screen import counted, facts, screen, tell

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


#: Options that have a say in what comes of a training, as the card repeats them.
_TOLD = (
    "recipe", "from_trial", "architecture", "epochs", "seed", "own", "own_weight", "with_corrections", "job",
    "corrections_weight", "deterministic",
)  # fmt: skip

Output = Annotated[
    Path | None,
    typer.Option(
        help="Model folder to write; the same command goes on with a training that was killed there. "
        "Default: in models/ of the home, named by time."
    ),
]
RecipeName = Annotated[
    str | None, typer.Option(help="TOML file, or name of a shipped recipe; default: one fast network.")
]
FromTrial = Annotated[
    str | None, typer.Option(help="FOLDER of `digitline tune`, or FOLDER:NUMBER; default number: the best.")
]
Architecture = Annotated[str | None, typer.Option(help="Of the fast network; default: as in the recipe.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Times that every digit is seen; default: as in the recipe.")]
SeedOfFast = Annotated[
    int | None, typer.Option(min=0, max=MOST_SEED, help="Of the fast network; default: as in the recipe, else 3.")
]
Own = Annotated[Path | None, typer.Option(help="Class folders 0/ to 9/ of images of your own to learn from as well.")]
OwnWeight = Annotated[float, typer.Option(min=0, max=10_000, help="How often each image of your own counts.")]
WithCorrections = Annotated[
    bool, typer.Option("--with-corrections", help="Learn as well from the images that people reviewed.")
]
OfJobs = Annotated[
    list[str] | None,
    typer.Option("--job", help="Job whose reviewed images are learned from; default: all of them."),
]
CorrectionsWeight = Annotated[
    float | None,
    typer.Option(
        min=0, max=10_000, help="How often each of those counts; default: 10 times, of many less (docs/review.md)."
    ),
]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="The same bits every time on one kind of machine, at some cost.")
]
Tensorboard = Annotated[Path | None, typer.Option(help="Folder to write a log for TensorBoard into.")]


def train(
    context: typer.Context,
    data: Data = None,
    output: Output = None,
    recipe: RecipeName = None,
    from_trial: FromTrial = None,
    architecture: Architecture = None,
    epochs: Epochs = None,
    seed: SeedOfFast = None,
    own: Own = None,
    own_weight: OwnWeight = 10.0,
    with_corrections: WithCorrections = False,
    job: OfJobs = None,
    corrections_weight: CorrectionsWeight = None,
    deterministic: Deterministic = False,
    tensorboard: Tensorboard = None,
    json: Json = False,
) -> None:
    """Train a model on MNIST's training digits and write its folder.

    The test digits are looked at once, at the end, for the card. `digitline models add` makes the model known.
    """
    if not with_corrections and (job or corrections_weight is not None):
        raise typer.BadParameter("--job and --corrections-weight go with --with-corrections.", param_hint="--job")
    source = find_data(data)
    chosen = _overridden(_recipe(recipe, from_trial), architecture=architecture, epochs=epochs, seed=seed)
    folder = _folder(output, chosen)
    log = None if tensorboard is None else writable_folder(tensorboard, "--tensorboard")
    lessons = _lessons(job) if with_corrections else None
    with step_progress("training") as progress:
        dataset = datasets.load_dataset(source)
        own_digits = None if own is None else datasets.load_folder(own)
        extra = lessons_of.Extra(own_digits, own_weight, lessons, corrections_weight)
        run = fitting.Run(progress=progress, tensorboard=log, deterministic=deterministic)
        command = _command(context.params)
        card = trainer.train(dataset, folder, recipe=chosen, extra=extra, command=command, run=run)
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


def _overridden(recipe: recipes.ModelRecipe, **overrides: Any) -> recipes.ModelRecipe:
    """The recipe with what was given in place of its fast network's own; epochs are for the careful ones too."""
    given = {name: value for name, value in overrides.items() if value is not None}
    epochs = {name: value for name, value in given.items() if name == "epochs"}
    careful = tuple(dataclasses.replace(one, **epochs) for one in recipe.careful)
    return dataclasses.replace(recipe, fast=dataclasses.replace(recipe.fast, **given), careful=careful)


def _lessons(references: list[str] | None) -> lessons_of.Lessons:
    """Load what people reviewed in these jobs, or in all; what cannot be learned from is told by name."""
    database = client.ready_line().database
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


def _command(options: Mapping[str, Any]) -> str:
    """The command line that makes the model again, of the options that were given, without paths of this machine."""
    given = {name: options[name] for name in _TOLD}
    if given["recipe"]:
        given["recipe"] = Path(given["recipe"]).stem
    if given["from_trial"]:
        given["from_trial"] = "DIR{1}{2}".format(*_trial(given["from_trial"]))
    if given["own"] is None:
        given["own_weight"] = None
    else:
        given["own"] = "DIR"
    words = ["digitline", "train", "--data", "DIR", "--output", "DIR"]
    for name, value in given.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is not None and one is not False:
                words.append(f"--{name.replace('_', '-')}")
                words += [] if one is True else [f"{one:g}" if isinstance(one, float) else str(one)]
    return shlex.join(words)


def _folder(output: Path | None, recipe: recipes.ModelRecipe) -> Path:
    """The folder to write; a name of our own is told, for with it a training that was killed goes on."""
    if output is not None:
        return writable_folder(output, "--output")
    name = "cascade" if recipe.careful else recipe.fast.architecture
    models = get_settings().home_folder / "models"
    folder = writable_folder(models / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}", "--output")
    screen(stderr=True).print(f"Writing {folder}; if it is killed, go on with --output {folder}")
    return folder


def _show(card: Card, folder: Path, json: bool) -> None:
    told = [
        ("model", card.name),
        ("validation accuracy", f"{card.validation['accuracy']:.2%}"),
        ("test accuracy", f"{card.test['accuracy']:.2%}"),
        ("passed on", f"{card.test['escalated_share']:.2%}" if card.careful else ""),
        ("learned from", counted(len(card.corrections), "reviewed image") if card.corrections else ""),
        ("folder", str(folder)),
    ]
    tell({"folder": str(folder), **card.as_dict()}, facts(told), json=json)
