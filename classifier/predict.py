"""Prepared images to labels, batch by batch; the doubtful ones are asked about twice.

What is decided here is the same whatever runs the networks, and needs neither Keras nor TensorFlow.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.preprocess import SIDE, Image, to_network_input
from classifier.views import UNMOVED, Shift, looks, mean_of_looks
from core.vocabulary import DIGITS, Runtime

#: Images that go through the careful networks at once, at most.
CAREFUL_BATCH = 64

#: What runs networks, by module; each has `load(folder, runtime, sha256)`, `ready(networks)` and
#: `bind_to_one_thread()`. They are named, not imported: none of them is needed where another is chosen.
_MODULES = {
    Runtime.KERAS: "classifier.keras_runtime",
    Runtime.LITERT: "classifier.litert_runtime",
    Runtime.LITERT_INT8: "classifier.litert_runtime",
}


class Networks(Protocol):
    """One network, or several whose logits are averaged, in memory."""

    @property
    def traces(self) -> int:
        """How often they were made into a graph: once, or something costs a hundred times what it should."""

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute logits.

        Args:
            images: float32, (n, 28, 28, 1), 0 (paper) to 1 (ink); any n from 1 on.

        Returns:
            float32, (n, 10).
        """


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
    """A network that sees every image."""

    def __init__(self, fast: Networks, *, temperature: float, batch_size: int) -> None:
        """Take a network, and make it warm.

        Args:
            fast: the network.
            temperature: what the logits are divided by.
            batch_size: images that go through it at once, at most; 256 to 1,024 is quick.
        """
        self.batch_size = batch_size
        self._fast = fast
        self._temperature = temperature
        fast(np.zeros((batch_size, SIDE, SIDE, 1), np.float32))

    @property
    def traces(self) -> int:
        """How often the network was made into a graph; see `Networks.traces`."""
        return self._fast.traces

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
            logits = self._fast(to_network_input(batch))
            parts.append(_scores(logits / np.float32(self._temperature), escalated=False))
        return _joined(parts)


class Cascade(Scorer):
    """A fast network that sees every image, and careful ones that see only what it is not sure of."""

    def __init__(
        self,
        fast: Networks,
        careful: Networks | None,
        *,
        temperature: float,
        careful_temperature: float,
        escalate_below: float,
        batch_size: int,
        shifts: Sequence[Shift] = UNMOVED,
        careful_batch: int = CAREFUL_BATCH,
    ) -> None:
        """Join networks, and make them warm.

        Args:
            fast: the fast network.
            careful: all careful networks; None: the fast network has the last word.
            temperature: what the fast network's logits are divided by.
            careful_temperature: what the mean of the careful networks' logits is divided by.
            escalate_below: calibrated confidence of the fast network under which the careful ones are asked.
            batch_size: images that go through the fast network at once, at most.
            shifts: how an image is moved each time that the careful networks look at it.
            careful_batch: images that go through the careful networks at once, at most.
        """
        super().__init__(fast, temperature=temperature, batch_size=batch_size)
        self._careful = careful
        self._careful_temperature = careful_temperature
        self._escalate_below = escalate_below
        self._shifts = shifts
        self._careful_batch = careful_batch
        if careful is not None:
            careful(np.zeros((len(shifts), SIDE, SIDE, 1), np.float32))

    @property
    def traces(self) -> int:
        """How often the networks that were made into a graph oftenest were; see `Networks.traces`."""
        return max(super().traces, 0 if self._careful is None else self._careful.traces)

    def __call__(self, images: Image) -> Scores:
        """Score any number of images, each by the fast network or, where that is not sure, by the careful ones.

        Args:
            images: uint8, (n, 28, 28), as `prepare` makes them.

        Raises:
            ValueError: the array is of another shape or type.
        """
        scores = super().__call__(images)
        if self._careful is not None:
            self._ask(self._careful, images, scores)
        return scores

    def _ask(self, careful: Networks, images: Image, scores: Scores) -> None:
        """Ask about what the fast network is not sure of, as much as goes at once."""
        places = np.flatnonzero(scores.confidences < self._escalate_below)
        for start in range(0, len(places), self._careful_batch):
            doubtful = places[start : start + self._careful_batch]
            seen = looks(to_network_input(images[doubtful]), self._shifts)
            said = mean_of_looks(careful(seen), self._shifts)
            _replace(scores, doubtful, _scores(said / np.float32(self._careful_temperature), escalated=True))


class Predictor(Cascade):
    """The model of a folder."""

    def __init__(
        self, folder: Path, *, batch_size: int, sha256: str | None = None, runtime: Runtime = Runtime.KERAS
    ) -> None:
        """Load a model, and run each of its networks once, so that the first batch is as quick as any.

        Args:
            folder: the model folder.
            batch_size: images that go through the fast network at once; 256 to 1,024 is quick.
            sha256: `model_sha256` that the folder must have; None: any.
            runtime: what runs its networks.

        Raises:
            ArtifactError: the folder is damaged, hostile, foreign or of another version, or not the model wanted, or
                was not exported to the runtime.
        """
        module: Any = import_module(_MODULES[runtime])
        started = time.perf_counter()
        (fast, *careful), self.card = module.load(folder, runtime, sha256)
        loaded = time.perf_counter()
        asked = bool(careful and self.card.escalate_below)
        super().__init__(
            module.ready([fast]),
            module.ready(careful) if asked else None,
            temperature=self.card.temperature,
            careful_temperature=self.card.careful_temperature,
            escalate_below=self.card.escalate_below,
            batch_size=batch_size,
            shifts=self.card.shifts,
        )
        #: Seconds that it took to load the networks, and to make them warm.
        self.start = {"load": loaded - started, "warm": time.perf_counter() - loaded}


def bind_to_one_thread(runtime: Runtime = Runtime.KERAS) -> None:
    """Bind a runtime and OpenCV to one thread each, for processes that share a host one core apiece.

    Raises:
        RuntimeError: TensorFlow has run already; it must be told before.
    """
    module: Any = import_module(_MODULES[runtime])
    module.bind_to_one_thread()
    cv2.setNumThreads(1)


def _scores(logits: NDArray[np.float32], *, escalated: bool) -> Scores:
    """Rank calibrated logits, float32, (n, 10)."""
    highest = logits.max(axis=1, keepdims=True)
    # Less the highest, so that no exponential is too large.
    likelihoods = np.exp(logits - highest)
    total = likelihoods.sum(axis=1, keepdims=True)
    probabilities = likelihoods / total
    ranked = np.partition(probabilities, DIGITS - 2, axis=1)
    return Scores(
        labels=probabilities.argmax(axis=1),
        confidences=ranked[:, -1].copy(),
        margins=ranked[:, -1] - ranked[:, -2],
        probabilities=probabilities,
        energies=-(highest + np.log(total))[:, 0],
        escalated=np.full(len(logits), escalated),
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
