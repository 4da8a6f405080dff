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
    check_architecture(architecture)
    inputs = keras.Input((SIDE, SIDE, 1), name="image")
    features = layers.Flatten(name="features")(ARCHITECTURES[architecture](inputs))
    if dropout:
        features = layers.Dropout(dropout, name="dropout")(features)
    logits = layers.Dense(DIGITS, name="logits", dtype="float32")(features)
    return keras.Model(inputs, logits, name=architecture)


def check_architecture(name: str) -> None:
    """Refuse a name that no architecture has.

    Raises:
        ArtifactError: there is no such architecture.
    """
    if name not in ARCHITECTURES:
        raise ArtifactError(f"There is no architecture {name!r}.", mend=f"There are: {', '.join(ARCHITECTURES)}.")


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


def _fast(x: keras.KerasTensor) -> keras.KerasTensor:
    """Spend under 5 MFLOP, in multiples of 16 channels, which is what vector units take at once."""
    x = _convolution(x, 16, 5, stride=2)
    x = _convolution(x, 32)
    x = _convolution(x, 48, stride=2)
    x = _convolution(x, 48, padding="valid")
    return _convolution(x, 64, padding="valid")


def _careful(x: keras.KerasTensor) -> keras.KerasTensor:
    """Look wider and longer at every resolution, for the few digits that the fast network is not sure of."""
    x = _convolution(x, 32, 5, stride=2)
    x = _convolution(x, 64)
    x = _convolution(x, 64)
    x = _convolution(x, 128, stride=2)
    x = _convolution(x, 128)
    x = _convolution(x, 128, padding="valid")
    return _convolution(x, 128, padding="valid")


def _perceptron(x: keras.KerasTensor) -> keras.KerasTensor:
    """Look at all pixels at once, without convolutions: the yardstick that they are measured by."""
    x = layers.Flatten()(x)
    for units in (512, 256):
        x = layers.ReLU()(layers.Dense(units)(x))
    return x


#: Architectures by name; a name, once shipped, keeps its meaning.
ARCHITECTURES: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "cnn-xs": partial(_shallow, width=16),
    "cnn-s": partial(_shallow, width=32),
    "cnn-fast": _fast,
    "cnn-careful": _careful,
    "mlp": _perceptron,
}
