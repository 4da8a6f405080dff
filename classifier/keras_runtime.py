"""Networks that Keras runs: folded, and traced by TensorFlow as one graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from classifier.artifact import Card
from classifier.fold import fold
from classifier.preprocess import SIDE
from classifier.weights import load_networks
from core.vocabulary import Runtime


class KerasNetworks:
    """One network, or several whose logits are averaged, as `classifier.predict.Networks`."""

    def __init__(self, models: Sequence[keras.Model]) -> None:
        """Make one graph of networks.

        Args:
            models: from float32 (n, 28, 28, 1) to logits (n, 10); at least one.
        """
        networks = [fold(model) for model in models]

        def mean_logits(images: tf.Tensor) -> tf.Tensor:
            return tf.add_n([network(images, training=False) for network in networks]) / len(networks)

        # For any number of images: a graph for one number is no quicker, and fewer images would have to be padded.
        # Without autograph, which writes a file to /tmp each time.
        self._mean_logits = tf.function(
            mean_logits, autograph=False, input_signature=[tf.TensorSpec((None, SIDE, SIDE, 1), tf.float32)]
        )
        # The graph itself: to choose among graphs takes longer than it takes to read one image.
        self._graph = self._mean_logits.get_concrete_function()

    @property
    def traces(self) -> int:
        """How often the networks were traced: once, or something costs a hundred times what it should."""
        return int(self._mean_logits.experimental_get_tracing_count())

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute logits.

        Args:
            images: float32, (n, 28, 28, 1), 0 (paper) to 1 (ink).

        Returns:
            float32, (n, 10).
        """
        logits: NDArray[np.float32] = self._graph(tf.constant(images)).numpy()
        return logits


def load(folder: Path, runtime: Runtime, sha256: str | None) -> tuple[list[keras.Model], Card]:  # noqa: ARG001  # Keras is one runtime
    """Load the networks of a model folder, the fast one first.

    Args:
        folder: the model folder.
        runtime: this one.
        sha256: `model_sha256` that the folder must have; None: any.

    Raises:
        ArtifactError: the folder is damaged, hostile, foreign or of another version, or not the model wanted.
    """
    return load_networks(folder, sha256=sha256)


def ready(models: Sequence[keras.Model]) -> KerasNetworks:
    """Make networks ready; as `KerasNetworks`."""
    return KerasNetworks(models)


def bind_to_one_thread() -> None:
    """Bind TensorFlow to one thread.

    Raises:
        RuntimeError: TensorFlow has run already; it must be told before.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
