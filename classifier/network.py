"""The Keras architectures, each known by its name; a model folder holds the name, never code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
from keras import layers

from classifier.preprocess import SIDE
from core.errors import ArtifactError
from core.vocabulary import DIGITS


def build(architecture: str, *, dropout: float = 0.0) -> keras.Model:
    """Build an untrained network.

    Args:
        architecture: one of `ARCHITECTURES`.
        dropout: share of features dropped before the last layer while training, 0 to 1.

    Returns:
        A model from float32 (n, 28, 28, 1) in 0..1 to float32 logits (n, 10).

    Raises:
        ArtifactError: there is no such architecture.
    """
    try:
        body = ARCHITECTURES[architecture]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise ArtifactError(f"There is no architecture {architecture!r}.", mend=f"There are: {known}.") from None
    inputs = keras.Input((SIDE, SIDE, 1), name="image")
    features = layers.Flatten(name="features")(body(inputs))
    if dropout:
        features = layers.Dropout(dropout, name="dropout")(features)
    logits = layers.Dense(DIGITS, name="logits")(features)
    return keras.Model(inputs, logits, name=architecture)


def megaflops(model: keras.Model) -> float:
    """Count the work for one image, in millions of floating-point operations.

    A multiplication with its addition counts as two; only convolutions and dense layers count.
    """
    return sum(_multiplications(layer) for layer in model.layers) * 2 / 1e6


def _multiplications(layer: keras.layers.Layer) -> int:
    if isinstance(layer, layers.Conv2D):
        _, height, width, filters = layer.output.shape
        return int(height * width * filters * layer.kernel.shape[0] * layer.kernel.shape[1] * layer.kernel.shape[2])
    if isinstance(layer, layers.Dense):
        return int(layer.kernel.shape[0] * layer.kernel.shape[1])
    return 0


def _convolution(
    x: keras.KerasTensor, filters: int, size: int = 3, *, stride: int = 1, padding: str = "same"
) -> keras.KerasTensor:
    """Convolve, normalise, rectify; without a bias, since the normalisation brings its own."""
    x = layers.Conv2D(filters, size, strides=stride, padding=padding, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.98)(x)
    return layers.ReLU()(x)


def _shallow(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Halve the picture at once: at 28x28 a layer costs four times what it does at 14x14."""
    x = _convolution(x, width, 5, stride=2)
    x = _convolution(x, width)
    x = _convolution(x, 2 * width, stride=2)
    x = _convolution(x, 2 * width, padding="valid")
    return _convolution(x, 2 * width, padding="valid")


def _deep(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Look at the strokes in full resolution first, and longer at every resolution."""
    x = _convolution(x, width)
    x = _convolution(x, 2 * width, stride=2)
    x = _convolution(x, 2 * width)
    x = _convolution(x, 2 * width)
    x = _convolution(x, 4 * width, stride=2)
    x = _convolution(x, 4 * width)
    x = _convolution(x, 4 * width, padding="valid")
    return _convolution(x, 4 * width, padding="valid")


#: Architectures by name; a name, once shipped, keeps its meaning.
ARCHITECTURES: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "cnn-xs": partial(_shallow, width=16),
    "cnn-s": partial(_shallow, width=32),
    "cnn-m": partial(_deep, width=32),
}
