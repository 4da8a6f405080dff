"""Compare ways to read digits on the same split in the same run: two networks and three classical methods."""

from __future__ import annotations

import dataclasses
import pickle
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from classifier.keras_runtime import KerasNetworks
from classifier.network import build
from classifier.predict import Scorer
from classifier.preprocess import Image
from training.dataset import Digits, Split
from training.evaluate import judge
from training.excerpt import shortened
from training.fit import Run, fit
from training.recipe import Progress, Recipe, silent

#: Images in one call of every method.
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Row:
    """How one method did; measured on digits that it was not trained on."""

    name: str
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    #: Time to train, in seconds.
    fit_seconds: float
    #: Prepared images read in one process, in batches of 256.
    images_per_second: float
    #: Of the trained model as a file, in bytes.
    size: int
    #: Digits trained on, and measured on.
    trained_on: int
    measured_on: int

    def as_dict(self) -> dict[str, object]:
        """The row as JSON takes it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A trained method: how it reads, and its size in bytes."""

    read: Callable[[Image], NDArray[np.int64]]
    size: int


#: Trains a method.
_Method = Callable[[Split, Progress], _Fitted]


def compare(parts: Split, *, epochs: int = 5, seed: int = 3, progress: Progress = silent) -> list[Row]:
    """Train and measure all methods in one run.

    Args:
        parts: prepared digits, the same for every method, to train on and to measure on; the time of the support vector
            machine grows with the square of the former.
        epochs: of the networks.
        seed: of forest and networks.
        progress: told of every method, and of every few steps of the networks.

    Returns:
        One row a method.
    """
    methods = _methods(epochs, seed)
    rows = []
    for done, (name, method) in enumerate(methods.items()):
        progress(done, len(methods), f"{name} is trained")
        rows.append(_row(name, method, parts, _within(progress, done, len(methods), name)))
        progress(done + 1, len(methods), f"{name}: {rows[-1].accuracy:.2%}")
    return rows


def _methods(epochs: int, seed: int) -> dict[str, _Method]:
    usual = Recipe(epochs=epochs, seed=seed)
    # It drops features after each of its layers already.
    perceptron = dataclasses.replace(usual, architecture="mlp", dropout=0.0)
    forest = RandomForestClassifier(n_estimators=200, n_jobs=1, random_state=seed)
    return {
        "CNN": lambda parts, progress: _network(parts, usual, progress),
        "MLP": lambda parts, progress: _network(parts, perceptron, progress),
        "SVM (RBF)": lambda parts, _: _classical(SVC(C=5.0, gamma="scale"), parts.train),
        "random forest": lambda parts, _: _classical(forest, parts.train),
        "k-NN": lambda parts, _: _classical(KNeighborsClassifier(n_neighbors=3, weights="distance"), parts.train),
    }


def _within(progress: Progress, before: int, methods: int, name: str) -> Progress:
    """What a method tells about itself, as a message beside the count of the methods."""

    def note(done: int, total: int, message: str) -> None:  # noqa: ARG001  # the bar counts methods
        progress(before, methods, f"{name}: {message}")

    return note


def _row(name: str, method: _Method, parts: Split, progress: Progress) -> Row:
    started = time.perf_counter()
    fitted = method(parts, progress)
    fit_seconds = time.perf_counter() - started
    predicted, seconds = _read(fitted, parts.validation.images)
    evaluation = judge(predicted, parts.validation.labels)
    return Row(
        name=name,
        accuracy=evaluation.accuracy,
        macro_precision=evaluation.macro_precision,
        macro_recall=evaluation.macro_recall,
        macro_f1=evaluation.macro_f1,
        fit_seconds=fit_seconds,
        images_per_second=len(predicted) / seconds,
        size=fitted.size,
        trained_on=len(parts.train),
        measured_on=len(predicted),
    )


def _read(fitted: _Fitted, images: Image) -> tuple[NDArray[np.int64], float]:
    """Read images in batches; returns labels and seconds."""
    fitted.read(images[:_BATCH])  # the first call of a network costs what no other does
    started = time.perf_counter()
    labels = [fitted.read(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
    return np.concatenate(labels), time.perf_counter() - started


def _network(parts: Split, recipe: Recipe, progress: Progress) -> _Fitted:
    model, _ = fit(parts, shortened(recipe, len(parts.train)), run=Run(progress=progress))
    # Without what only training needs: the optimizer's state takes twice the room of the weights.
    plain = build(recipe.architecture)
    plain.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        plain.save(path)
        size = path.stat().st_size
    scorer = Scorer(KerasNetworks([plain]), temperature=1.0, batch_size=_BATCH)
    return _Fitted(lambda images: scorer(images).labels, size)


def _classical(classifier: ClassifierMixin, digits: Digits) -> _Fitted:
    classifier.fit(_flat(digits.images), digits.labels)
    return _Fitted(lambda images: classifier.predict(_flat(images)), len(pickle.dumps(classifier)))


def _flat(images: Image) -> NDArray[np.float32]:
    """Turn images into rows of features from 0 to 1, float32, (n, 784)."""
    return np.multiply(images.reshape(len(images), -1), np.float32(1 / 255), dtype=np.float32)
