"""Fold every batch normalisation into the convolution before it: the same function in fewer steps."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers


def fold(model: keras.Model) -> keras.Model:
    """Build the network anew without its normalisations.

    At inference a normalisation is a scale and an offset by channel, which the convolution before it can do itself.

    Args:
        model: a trained network; a normalisation must follow its own convolution without a bias.

    Returns:
        A network of the same inputs and, but for rounding, outputs; not to be trained further.
    """
    convolutions = {id(layer.output): layer for layer in model.layers if isinstance(layer, layers.Conv2D)}
    normalised = {
        convolutions[id(layer.input)].name: layer
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    }
    folded = keras.models.clone_model(model, clone_function=_with_bias, call_function=_past_normalisation)
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name in normalised:
            weights = _folded_weights(weights[0], normalised[layer.name])
        if weights and not isinstance(layer, layers.BatchNormalization):
            folded.get_layer(layer.name).set_weights(weights)
    return folded


def _with_bias(layer: keras.layers.Layer) -> keras.layers.Layer:
    config = layer.get_config()
    if isinstance(layer, layers.Conv2D):
        config["use_bias"] = True
    return type(layer).from_config(config)


def _past_normalisation(
    layer: keras.layers.Layer, inputs: keras.KerasTensor, *rest: object, **options: object
) -> keras.KerasTensor:
    if isinstance(layer, layers.BatchNormalization):
        return inputs
    return layer(inputs, *rest, **options)


def _folded_weights(kernel: np.ndarray, normalisation: layers.BatchNormalization) -> list[np.ndarray]:
    """Fold in double precision; the kernel is (height, width, in, out)."""
    gamma, beta, mean, variance = (np.asarray(values, np.float64) for values in normalisation.get_weights())
    gain = gamma / np.sqrt(variance + normalisation.epsilon)
    return [(kernel * gain).astype(np.float32), (beta - mean * gain).astype(np.float32)]
