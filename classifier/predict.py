"""Prepared images to labels, in batches of one fixed shape; the doubtful ones are asked about twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from classifier.fold import fold
from classifier.preprocess import SIDE, Image, to_network_input
from classifier.views import UNMOVED, Shift, mean_logits
from classifier.weights import load_networks
from core.vocabulary import DIGITS

#: Images that go through the careful networks at once: few are asked about in a batch, and padding costs as much.
CAREFUL_BATCH = 8

_Traced: TypeAlias = tf.types.experimental.PolymorphicFunction


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
    #: float32, (n,): energy, less the log-sum-exp of the fast network's calibrated logits (Liu et al. 2020, section 3.1);
    #: the more, the less the image is like the digits that the network learned from.
    energies: NDArray[np.float32]
    #: bool, (n,): whether the careful networks were asked.
    escalated: NDArray[np.bool_]

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
        self._score = _traced([fold(model)], temperature, batch_size)
        self._score(tf.zeros((batch_size, SIDE, SIDE, 1)))

    @property
    def traces(self) -> int:
        """How often the network was traced: once, or something costs a hundred times what it should."""
        return _traces(self._score)

    def __call__(self, images: Image) -> Scores:
        """Score any number of images.

        Args:
            images: uint8, (n, 28, 28), as `prepare` makes them.

        Raises:
            ValueError: the array is of another shape or type.
        """
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
            raise ValueError(f"Images must be uint8 (n, {SIDE}, {SIDE}), not {images.dtype} {images.shape}.")
        parts = []
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            parts.append(_scores(self._score(_input(batch, self.batch_size)), len(batch), escalated=False))
        return _joined(parts)


class Cascade(Scorer):
    """A fast network that sees every image, and careful ones that see only what it is not sure of."""

    def __init__(
        self,
        fast: keras.Model,
        careful: Sequence[keras.Model],
        *,
        temperature: float,
        careful_temperature: float,
        escalate_below: float,
        batch_size: int,
        shifts: Sequence[Shift] = UNMOVED,
        careful_batch: int = CAREFUL_BATCH,
    ) -> None:
        """Make the networks ready.

        Args:
            fast: from float32 (n, 28, 28, 1) to logits (n, 10).
            careful: the like; none is a cascade that never escalates.
            temperature: what the fast network's logits are divided by.
            careful_temperature: what the mean of the careful networks' logits is divided by.
            escalate_below: calibrated confidence of the fast network under which the careful ones are asked.
            batch_size: images that go through the fast network at once; 256 to 1,024 is quick.
            shifts: how an image is moved each time that the careful networks look at it.
            careful_batch: images that go through the careful networks at once.
        """
        super().__init__(fast, temperature=temperature, batch_size=batch_size)
        self._escalate_below = escalate_below if careful else 0.0
        self._careful_batch = careful_batch
        self._ask = _traced([fold(model) for model in careful], careful_temperature, careful_batch, shifts)
        if self._escalate_below:
            self._ask(tf.zeros((careful_batch, SIDE, SIDE, 1)))

    @property
    def traces(self) -> int:
        """How often the network that was traced oftenest was traced; see `Scorer.traces`."""
        return max(super().traces, _traces(self._ask))

    def __call__(self, images: Image) -> Scores:
        """Score any number of images, each by the fast network or, where that is not sure, by the careful ones.

        Args:
            images: uint8, (n, 28, 28), as `prepare` makes them.

        Raises:
            ValueError: the array is of another shape or type.
        """
        scores = super().__call__(images)
        for doubtful in self._doubtful(scores):
            asked = self._ask(_input(images[doubtful], self._careful_batch))
            _replace(scores, doubtful, _scores(asked, len(doubtful), escalated=True))
        return scores

    def _doubtful(self, scores: Scores) -> list[NDArray[np.int64]]:
        """Find the places of what is to be asked again, as many in a part as go at once."""
        places = np.flatnonzero(scores.confidences < self._escalate_below)
        return [places[start : start + self._careful_batch] for start in range(0, len(places), self._careful_batch)]


class Predictor(Cascade):
    """The model of a folder."""

    def __init__(self, folder: Path, *, batch_size: int, sha256: str | None = None) -> None:
        """Load a model.

        Args:
            folder: the model folder.
            batch_size: images that go through the fast network at once; 256 to 1,024 is quick.
            sha256: `model_sha256` that the folder must have; None: any.

        Raises:
            ArtifactError: the folder is damaged, hostile, foreign or of another version, or not the model wanted.
        """
        (fast, *careful), self.card = load_networks(folder, sha256=sha256)
        super().__init__(
            fast,
            careful,
            temperature=self.card.temperature,
            careful_temperature=self.card.careful_temperature,
            escalate_below=self.card.escalate_below,
            shifts=self.card.shifts,
            batch_size=batch_size,
        )


def bind_to_one_thread() -> None:
    """Bind TensorFlow and OpenCV to one thread each, for processes that share a host one core apiece.

    Raises:
        RuntimeError: TensorFlow has run already; it must be told before.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cv2.setNumThreads(1)


def _traced(
    networks: Sequence[keras.Model], temperature: float, batch_size: int, shifts: Sequence[Shift] = UNMOVED
) -> _Traced:
    """Make one graph of networks, calibration and ranking; without autograph, which writes a file to /tmp each time."""

    def score(images: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return _ranked(mean_logits(networks, images, shifts) / temperature)

    return tf.function(score, autograph=False, input_signature=[tf.TensorSpec((batch_size, SIDE, SIDE, 1), tf.float32)])


def _ranked(calibrated: tf.Tensor) -> tuple[tf.Tensor, ...]:
    probabilities = tf.nn.softmax(calibrated)
    best, places = tf.math.top_k(probabilities, 2)
    return probabilities, best, places, -tf.reduce_logsumexp(calibrated, axis=1)


def _traces(traced: _Traced) -> int:
    return int(traced.experimental_get_tracing_count())


def _input(images: Image, size: int) -> tf.Tensor:
    """Bring up to `size` images to the network's shape; a short batch is padded with paper."""
    if len(images) < size:
        images = np.concatenate([images, np.zeros((size - len(images), SIDE, SIDE), np.uint8)])
    return tf.constant(to_network_input(images))


def _scores(ranked: Sequence[tf.Tensor], count: int, *, escalated: bool) -> Scores:
    """Take the scores of the first `count` images; those of the padding are cut off."""
    probabilities, best, places, energies = (tensor.numpy()[:count] for tensor in ranked)
    return Scores(
        labels=places[:, 0].astype(np.int64),
        confidences=best[:, 0].copy(),
        margins=best[:, 0] - best[:, 1],
        probabilities=probabilities,
        energies=energies,
        escalated=np.full(count, escalated),
    )


def _replace(scores: Scores, places: NDArray[np.int64], others: Scores) -> None:
    """Put in what the careful networks say; only the fast one sees every image, so all energies are its own."""
    for name in {*Scores.__slots__} - {"energies"}:
        getattr(scores, name)[places] = getattr(others, name)


def _joined(parts: Sequence[Scores]) -> Scores:
    """Join the scores of batches; where there was none, make those of no image."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        nothing = np.zeros(0, np.float32)
        each = np.zeros((0, DIGITS), np.float32)
        return Scores(np.zeros(0, np.int64), nothing, nothing, each, nothing, np.zeros(0, np.bool_))
    return Scores(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in Scores.__slots__})
