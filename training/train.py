"""Train a model from data to model folder: split, fit, calibrate, measure, save."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import softmax

from classifier.artifact import CARD, Card
from classifier.network import megaflops
from classifier.preprocess import PREPROCESSING_VERSION, to_network_input
from classifier.weights import save_model
from core.errors import ArtifactError
from training.calibrate import fit_temperature
from training.dataset import Dataset, Digits, load_mnist, prepare_all, split
from training.evaluate import Evaluation, judge
from training.fit import History, fit
from training.recipe import Progress, Recipe, silent

#: Command line in the card where none is given.
COMMAND = "digitline train --data DIR --output DIR"
_BATCH = 500


def train(
    data: Path | None,
    output: Path,
    *,
    recipe: Recipe | None = None,
    command: str = COMMAND,
    progress: Progress = silent,
) -> Card:
    """Train a model on MNIST and write its folder.

    Args:
        data: folder of the four IDX files; None: Keras downloads them.
        output: the model folder; its name becomes the model's.
        recipe: how; default: as the shipped model was made.
        command: command line for the card, without paths of this machine.
        progress: told of every few steps.

    Returns:
        The card as written; its `validation` and `test` are evaluations.

    Raises:
        DatasetError: a file of MNIST is missing, damaged or another.
        ArtifactError: the folder holds a model already, or the recipe names no architecture.
    """
    if (output / CARD).exists():
        # It may be in production, where the ledger knows it by its hash.
        raise ArtifactError(f"{output} holds a model already.", mend="Name another folder, or remove this one first.")
    return train_on(load_mnist(data), output, recipe=recipe, command=command, progress=progress)


def train_on(
    dataset: Dataset,
    output: Path,
    *,
    recipe: Recipe | None = None,
    command: str = COMMAND,
    progress: Progress = silent,
) -> Card:
    """Train a model on any digits and write its folder; as `train` otherwise."""
    recipe = recipe or Recipe()
    parts = split(prepare_all(dataset.train), validation=recipe.validation, seed=recipe.seed)
    model, history = fit(parts, recipe, progress=progress)
    temperature = fit_temperature(logits(model, parts.validation), parts.validation.labels)
    validation = measure(model, temperature, parts.validation)
    # The test digits are looked at once, here, when nothing is left to choose.
    test = measure(model, temperature, prepare_all(dataset.test))
    card = _card(output.name, model, recipe, history, command=command)
    return save_model(
        output,
        model,
        dataclasses.replace(
            card,
            temperature=temperature,
            data_sha256=dict(dataset.sha256),
            validation=validation.as_dict(),
            test=test.as_dict(),
        ),
    )


def logits(model: keras.Model, digits: Digits) -> NDArray[np.float32]:
    """Compute the logits of prepared digits, float32, (n, 10)."""
    return np.asarray(model.predict(to_network_input(digits.images), batch_size=_BATCH, verbose=0))


def measure(model: keras.Model, temperature: float, digits: Digits) -> Evaluation:
    """Evaluate a network on prepared digits."""
    probabilities = softmax(logits(model, digits) / temperature, axis=1)
    return judge(probabilities.argmax(axis=1), digits.labels, confidences=probabilities.max(axis=1))


def versions() -> dict[str, str]:
    """Name the versions of everything that has a say in a model."""
    return {
        "digitline": _version_of_digitline(),
        "keras": keras.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "tensorflow": tf.__version__,
    }


def _version_of_digitline() -> str:
    try:
        return version("digitline")
    except PackageNotFoundError:
        return "not installed"


def _card(name: str, model: keras.Model, recipe: Recipe, history: History, *, command: str) -> Card:
    """Make a card of what is known before the model is measured."""
    return Card(
        name=name,
        architecture=recipe.architecture,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        preprocessing_version=PREPROCESSING_VERSION,
        weights_sha256="0" * 64,
        parameters=model.count_params(),
        megaflops=megaflops(model),
        temperature=1.0,
        seed=recipe.seed,
        command=command,
        data_sha256={},
        versions=versions(),
        recipe=dataclasses.asdict(recipe),
        validation={},
        test={},
        history={name: tuple(values) for name, values in history.items()},
    )
