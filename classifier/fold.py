"""Fold every batch normalisation into the layer before it: the same function in fewer steps."""

from __future__ import annotations

from collections import Counter

import keras
import numpy as np
from keras import layers


def fold(model: keras.Model) -> keras.Model:
    """Build the network anew without its normalisations and dropouts, in single precision throughout.

    At inference a normalisation is a scale and an offset by channel, which the convolution or dense layer before it
    can do itself. One that follows anything else, or a layer that others read too, stays as it is.

    Args:
        model: a trained network, of any precision policy.

    Returns:
        A network of the same inputs and, but for rounding, outputs; not to be trained further.
    """
    normalised = _normalised(model)
    dropped = {normalisation.name for normalisation in normalised.values()}
    folded = _rebuilt(model, with_bias=set(normalised), dropped=dropped)
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name in normalised:
            weights = _folded_weights(layer, normalised[layer.name])
        if weights and layer.name not in dropped:
            folded.get_layer(layer.name).set_weights(weights)
    return folded


def _normalised(model: keras.Model) -> dict[str, layers.BatchNormalization]:
    """Find the layers that can do the work of the normalisation after them, by name."""
    inner = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    readers = Counter(id(tensor) for layer in inner for tensor in keras.tree.flatten(layer.input))
    readers.update(id(tensor) for tensor in model.outputs)
    makers = {
        id(layer.output): layer
        for layer in inner
        if isinstance(layer, (layers.Conv2D, layers.Dense)) and layer.activation is keras.activations.linear
    }
    return {
        makers[id(layer.input)].name: layer
        for layer in inner
        if isinstance(layer, layers.BatchNormalization) and id(layer.input) in makers and readers[id(layer.input)] == 1
    }


def _rebuilt(model: keras.Model, *, with_bias: set[str], dropped: set[str]) -> keras.Model:
    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = {**layer.get_config(), "dtype": "float32"}
        if layer.name in with_bias:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(
        layer: keras.layers.Layer, inputs: keras.KerasTensor, *rest: object, **options: object
    ) -> keras.KerasTensor:
        if layer.name in dropped or isinstance(layer, layers.Dropout):
            return inputs
        return layer(inputs, *rest, **options)

    return keras.models.clone_model(model, clone_function=clone, call_function=call)


def _folded_weights(layer: keras.layers.Layer, normalisation: layers.BatchNormalization) -> list[np.ndarray]:
    """Fold in double precision; the last axis of a kernel is its outputs."""
    kernel, bias, gamma, beta, mean, variance = (
        np.float64(default) if variable is None else np.asarray(variable, np.float64)
        for variable, default in (
            (layer.kernel, 0),
            (layer.bias, 0),
            (normalisation.gamma, 1),
            (normalisation.beta, 0),
            (normalisation.moving_mean, 0),
            (normalisation.moving_variance, 1),
        )
    )
    gain = gamma / np.sqrt(variance + normalisation.epsilon)
    return [(kernel * gain).astype(np.float32), (beta + (bias - mean) * gain).astype(np.float32)]
