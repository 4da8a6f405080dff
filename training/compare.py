"""Compare ways to read digits on the same split: a convolutional network, a support vector machine, a random forest."""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from classifier.artifact import WEIGHTS
from classifier.predict import Scorer
from classifier.preprocess import Image
from classifier.weights import save_weights
from training.dataset import Digits, Split, load_mnist, prepare_all, split
from training.evaluate import judge
from training.fit import fit
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
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A trained method: how it reads, and its size in bytes."""

    read: Callable[[Image], NDArray[np.int64]]
    size: int


def compare(
    data: Path | None,
    *,
    samples: int = 10_000,
    epochs: int = 5,
    seed: int = 3,
    progress: Progress = silent,
) -> list[Row]:
    """Train and measure all methods in one run; the test digits stay out of it.

    Args:
        data: folder of the four IDX files; None: Keras downloads them.
        samples: training digits, the same for every method; the time of the support vector machine grows with its
            square.
        epochs: of the network.
        seed: of split, choice, forest and network.
        progress: told of every method.

    Returns:
        One row a method, measured on the 5,000 validation digits.

    Raises:
        DatasetError: a file of MNIST is missing, damaged or another.
        ValueError: more samples than there are.
    """
    parts = split(prepare_all(load_mnist(data).train), seed=seed)
    chosen = np.random.default_rng(seed).choice(len(parts.train), samples, replace=False)
    return compare_on(Split(parts.train.take(chosen), parts.validation), epochs=epochs, seed=seed, progress=progress)


def compare_on(parts: Split, *, epochs: int = 5, seed: int = 3, progress: Progress = silent) -> list[Row]:
    """Train and measure all methods on any prepared digits; as `compare` otherwise."""
    methods: dict[str, Callable[[], _Fitted]] = {
        "CNN": lambda: _network(parts, Recipe(epochs=epochs, seed=seed, ema_momentum=0.98)),
        "SVM (RBF)": lambda: _classical(SVC(C=5.0, gamma="scale"), parts.train),
        "random forest": lambda: _classical(
            RandomForestClassifier(n_estimators=200, n_jobs=1, random_state=seed), parts.train
        ),
    }
    rows = []
    for done, (name, method) in enumerate(methods.items()):
        progress(done, len(methods), f"{name} is trained")
        rows.append(_row(name, method, parts))
        progress(done + 1, len(methods), f"{name}: {rows[-1].accuracy:.2%}")
    return rows


def _row(name: str, method: Callable[[], _Fitted], parts: Split) -> Row:
    started = time.perf_counter()
    fitted = method()
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
    started = time.perf_counter()
    labels = [fitted.read(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
    return np.concatenate(labels), time.perf_counter() - started


def _network(parts: Split, recipe: Recipe) -> _Fitted:
    model, _ = fit(parts, recipe)
    scorer = Scorer(model, temperature=1.0, batch_size=_BATCH)
    with tempfile.TemporaryDirectory() as folder:
        save_weights(Path(folder), model)
        size = (Path(folder) / WEIGHTS).stat().st_size
    return _Fitted(lambda images: scorer(images).labels, size)


def _classical(classifier: ClassifierMixin, digits: Digits) -> _Fitted:
    classifier.fit(_flat(digits.images), digits.labels)
    return _Fitted(lambda images: classifier.predict(_flat(images)), len(pickle.dumps(classifier)))


def _flat(images: Image) -> NDArray[np.float32]:
    """Turn images into rows of features from 0 to 1, float32, (n, 784)."""
    return np.multiply(images.reshape(len(images), -1), np.float32(1 / 255), dtype=np.float32)
