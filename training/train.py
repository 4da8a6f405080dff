"""Train a model from data to model folder: split, fit, calibrate, measure, save, export."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from classifier.artifact import CARD, PREPROCESSING_VERSION, Card, network_file, write_card
from classifier.network import check_architecture
from classifier.weights import describe, save_model
from core.errors import ArtifactError, RecipeError
from training.batches import Teacher
from training.cascade import Parts, assemble, teacher_of
from training.checkpoint import History
from training.dataset import Dataset, Split, joined, prepare_all, split
from training.drawn import drawn_digits
from training.evaluate import evaluate
from training.export import export
from training.fit import Run, fit
from training.lessons import Extra
from training.outliers import outliers
from training.recipe import ModelRecipe, Recipe

#: Command line in the card where none is given.
COMMAND = "digitline train --data DIR --output DIR"
#: Folder of the unfinished training, within that of the model.
CHECKPOINTS = ".training"
#: At most one in so many digits is set aside.
_PARTS = 5


def train(
    dataset: Dataset,
    output: Path,
    *,
    recipe: ModelRecipe | None = None,
    extra: Extra | None = None,
    command: str = COMMAND,
    run: Run | None = None,
) -> Card:
    """Train a model and write its folder; a training that was killed goes on where it stood.

    Args:
        dataset: digits to learn from, to choose by and to report on, not prepared.
        output: the model folder; its name becomes the model's.
        recipe: how; default: one fast network.
        extra: more to learn from; corrected images that are among the validation or test digits are left out.
        command: command line for the card, without paths of this machine.
        run: how the training runs; the checkpoints are this function's own.

    Returns:
        The card as written; its `validation` and `test` are evaluations.

    Raises:
        RecipeError: the networks of the recipe do not share one split.
        ArtifactError: the folder holds a model already, or another training's checkpoint; or there is no such
            architecture; or the model, which is written, reads other digits where it is exported.
    """
    recipe, run, output = recipe or ModelRecipe(), run or Run(), _new_folder(output)
    for one in recipe.networks:
        check_architecture(one.architecture)  # better told now than after hours of the other networks
    parts, test = _parted(dataset, recipe), prepare_all(dataset.test)
    extra = (extra or Extra()).without(parts.validation, test)
    parts = Split(extra.added_to(parts.train, seed=recipe.fast.split_seed), parts.validation)
    networks, histories = _fit_all(parts, recipe, run, output / CHECKPOINTS)
    cascade = assemble(networks, parts.validation, recipe)
    card = dataclasses.replace(
        _card(output.name, networks, histories, recipe, cascade),
        command=command,
        data_sha256=dict(dataset.sha256),
        validation=evaluate(cascade.scorer, parts.validation.images, parts.validation.labels).as_dict(),
        # The test digits are looked at once, here, when nothing is left to choose.
        test=evaluate(cascade.scorer, test.images, test.labels).as_dict(),
        corrections=() if extra.lessons is None else extra.lessons.sha256,
    )
    card = save_model(output, networks[0], networks[1:], card)
    shutil.rmtree(output / CHECKPOINTS)
    # Hours of training are not lost by an export that is refused.
    card = export(output, networks, card, learned=parts.train, measured={"validation": parts.validation, "test": test})
    write_card(output, card)
    return card


def set_aside(dataset: Dataset, *, validation: int, seed: int) -> Split:
    """Prepare the digits to learn from, and set some aside; of few, a fifth rather than as many as wanted.

    Args:
        dataset: of which only the training digits are taken.
        validation: digits to set aside.
        seed: of that choice.
    """
    aside = min(validation, len(dataset.train) // _PARTS)
    return split(prepare_all(dataset.train), validation=aside, seed=seed)


def versions() -> dict[str, str]:
    """Name the versions of everything that has a say in a model."""
    return {
        "digitline": _version_of_digitline(),
        "keras": keras.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "tensorflow": tf.__version__,
    }


def _new_folder(output: Path) -> Path:
    """The folder's whole path; raises ArtifactError where a model lies there, or none can."""
    output = output.expanduser().resolve()
    if not output.name:
        raise ArtifactError(f"{output} cannot be a model folder.", mend="Name a folder in it.")
    if (output / CARD).exists():
        # It may be in production, where the ledger knows it by its hash.
        raise ArtifactError(f"{output} holds a model already.", mend="Name another folder, or remove this one first.")
    return output


def _parted(dataset: Dataset, recipe: ModelRecipe) -> Split:
    """Set digits aside, the same for all networks."""
    splits = {(one.validation, one.split_seed) for one in recipe.networks}
    if len(splits) > 1:
        raise RecipeError(
            "The networks of the recipe set different digits aside, so that none can be measured on digits new to all.",
            mend="Give them the same validation and split_seed.",
        )
    return set_aside(dataset, validation=recipe.fast.validation, seed=recipe.fast.split_seed)


def _with_drawn(parts: Split, recipe: Recipe) -> Split:
    """Add to what is learned from what the recipe says is drawn, the same for every network that asks for as many."""
    if not recipe.drawn and not recipe.outliers:
        return parts
    seed = recipe.split_seed
    more = [drawn_digits(recipe.drawn, seed=seed), outliers(recipe.outliers, seed=seed)]
    return Split(joined([parts.train, *more]), parts.validation)


def _fit_all(parts: Split, recipe: ModelRecipe, run: Run, checkpoints: Path) -> tuple[list[keras.Model], list[History]]:
    """Train the careful networks, then the fast one, which may learn from them; the fast one comes first."""

    def fitted(name: str, one: Recipe, teacher: Teacher | None = None) -> tuple[keras.Model, History]:
        def told(done: int, total: int, message: str) -> None:
            run.progress(done, total, f"{name}: {message}")

        log = None if run.tensorboard is None else run.tensorboard / name
        own_run = dataclasses.replace(run, checkpoint=checkpoints / f"{name}.npz", progress=told, tensorboard=log)
        return fit(_with_drawn(parts, one), one, run=own_run, teacher=teacher)

    careful = [fitted(f"careful-{place}", one) for place, one in enumerate(recipe.careful, 1)]
    teacher = teacher_of([model for model, _ in careful], parts.validation) if careful else None
    found = [fitted("fast", recipe.fast, teacher), *careful]
    return [model for model, _ in found], [history for _, history in found]


def _card(
    name: str, networks: list[keras.Model], histories: list[History], recipe: ModelRecipe, cascade: Parts
) -> Card:
    """Make a card of what is known before the model is measured."""
    fast, *careful = (
        dataclasses.replace(describe(model, recipe=one.as_dict(), history=history), file=network_file(place))
        for place, (model, one, history) in enumerate(zip(networks, recipe.networks, histories, strict=True))
    )
    return Card(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        preprocessing_version=PREPROCESSING_VERSION,
        fast=fast,
        careful=tuple(careful),
        temperature=cascade.temperature,
        careful_temperature=cascade.careful_temperature,
        shifts=recipe.shifts,
        energy_limit=cascade.energy_limit,
        energy_doubt=cascade.energy_doubt,
        escalate_below=cascade.escalate_below,
        risk=cascade.risk,
        command=COMMAND,
        data_sha256={},
        versions=versions(),
        validation={},
        test={},
    )


def _version_of_digitline() -> str:
    try:
        return version("digitline")
    except PackageNotFoundError:
        return "not installed"
