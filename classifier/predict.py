"""Prepared images to labels, in batches of one fixed shape."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from classifier.fold import fold
from classifier.preprocess import SIDE, Image, to_network_input
from classifier.weights import load_model
from core.vocabulary import DIGITS


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says of n images."""

    #: int64, (n,): the likeliest digit.
    labels: NDArray[np.int64]
    #: float32, (n,): calibrated probability of the label.
    confidences: NDArray[np.float32]
    #: float32, (n,): calibrated probability of the label less that of the runner-up.
    margins: NDArray[np.float32]
    #: float32, (n, 10): calibrated probability of every digit.
    probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)


class Scorer:
    """A network in memory, traced once and warm."""

    def __init__(self, model: keras.Model, *, temperature: float, batch_size: int) -> None:
        """Make a network ready.

        Args:
            model: from float32 (n, 28, 28, 1) to logits (n, 10).
            temperature: what the logits are divided by.
            batch_size: images that go through the network at once; 256 to 1,024 is quick.
        """
        self.batch_size = batch_size
        self._score = _traced(fold(model), temperature, batch_size)
        self._score(tf.zeros((batch_size, SIDE, SIDE, 1)))

    @property
    def traces(self) -> int:
        """How often the network was traced: once, or something costs a hundred times what it should."""
        return int(self._score.experimental_get_tracing_count())

    def __call__(self, images: Image) -> Scores:
        """Score any number of images.

        Args:
            images: uint8, (n, 28, 28), as `prepare` makes them.

        Raises:
            ValueError: the array is of another shape or type.
        """
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
            raise ValueError(f"Images must be uint8 (n, {SIDE}, {SIDE}), not {images.dtype} {images.shape}.")
        scores = [
            self._one_batch(images[start : start + self.batch_size]) for start in range(0, len(images), self.batch_size)
        ]
        return scores[0] if len(scores) == 1 else _joined(scores)

    def _one_batch(self, images: Image) -> Scores:
        """Score up to `batch_size` images; a short batch is padded with paper, and the padding's scores are cut off."""
        count = len(images)
        if count < self.batch_size:
            images = np.concatenate([images, np.zeros((self.batch_size - count, SIDE, SIDE), np.uint8)])
        probabilities, best, places = self._score(tf.constant(to_network_input(images)))
        best = best.numpy()[:count]
        return Scores(
            labels=places.numpy()[:count, 0].astype(np.int64),
            confidences=best[:, 0].copy(),
            margins=best[:, 0] - best[:, 1],
            probabilities=probabilities.numpy()[:count],
        )


class Predictor(Scorer):
    """The model of a folder."""

    def __init__(self, folder: Path, *, batch_size: int) -> None:
        """Load a model.

        Args:
            folder: the model folder.
            batch_size: images that go through the network at once; 256 to 1,024 is quick.

        Raises:
            ArtifactError: the folder is damaged, foreign or of another version.
        """
        model, self.card = load_model(folder)
        super().__init__(model, temperature=self.card.temperature, batch_size=batch_size)


def bind_to_one_thread() -> None:
    """Bind TensorFlow and OpenCV to one thread each, for processes that share a host one core apiece.

    Raises:
        RuntimeError: TensorFlow has run already; it must be told before.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cv2.setNumThreads(1)


def _traced(network: keras.Model, temperature: float, batch_size: int) -> tf.types.experimental.PolymorphicFunction:
    """Make one graph of network, calibration and ranking; without autograph, which writes a file to /tmp each time."""

    def score(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        probabilities = tf.nn.softmax(network(images, training=False) / temperature)
        best, places = tf.math.top_k(probabilities, 2)
        return probabilities, best, places

    return tf.function(score, autograph=False, input_signature=[tf.TensorSpec((batch_size, SIDE, SIDE, 1), tf.float32)])


def _joined(scores: list[Scores]) -> Scores:
    if not scores:
        nothing = np.zeros(0, np.float32)
        return Scores(np.zeros(0, np.int64), nothing, nothing, np.zeros((0, DIGITS), np.float32))
    return Scores(
        np.concatenate([part.labels for part in scores]),
        np.concatenate([part.confidences for part in scores]),
        np.concatenate([part.margins for part in scores]),
        np.concatenate([part.probabilities for part in scores]),
    )
