"""The fast network behind model.predict, and the tf.data pipeline that feeds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.speed.candidates import TensorFlowData
from benchmarks.speed.peer import count_right
from benchmarks.speed.peers.reading import prepared_batch, read_files
from classifier.artifact import shipped_model
from classifier.predict import bind_to_one_thread
from classifier.preprocess import SIDE, to_network_input
from classifier.weights import load_networks


class Pipeline:
    """A tf.data pipeline and the fast network."""

    def __init__(self, peer: TensorFlowData) -> None:
        bind_to_one_thread()
        self._peer = peer
        self._model = fast_network()

    def count_right(self, folder: Path, files: Sequence[str]) -> int:
        """Read files; returns how many of their labels are those of their class folders."""

        def load(names: NDArray[np.bytes_]) -> NDArray[np.float32]:
            return network_input(read_files(folder, [name.decode() for name in names]))

        def shaped(names: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(load, [names], tf.float32), (None, SIDE, SIDE, 1))

        batches = tf.data.Dataset.from_tensor_slices(list(files)).batch(self._peer.batch_size)
        probabilities = self._model.predict(batches.map(shaped).prefetch(self._peer.prefetch), verbose=0)
        return count_right(files, probabilities.argmax(axis=1).tolist())


def fast_network() -> keras.Model:
    """The fast network of the shipped cascade, which returns probabilities."""
    (fast, *_), _ = load_networks(shipped_model())
    return keras.Sequential([fast, keras.layers.Softmax()])


def network_input(contents: Sequence[bytes]) -> NDArray[np.float32]:
    """Prepare files for a network: float32, (n, 28, 28, 1); empty paper where a file holds no digit."""
    images, places = prepared_batch(contents)
    page = np.zeros((len(contents), SIDE, SIDE), np.uint8)
    page[places] = images
    return to_network_input(page)
