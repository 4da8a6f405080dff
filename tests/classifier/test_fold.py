"""Folding the normalisations away changes nothing but rounding, whatever a network is made of."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from classifier.artifact import shipped_model
from classifier.fold import fold
from classifier.network import ARCHITECTURES, build
from classifier.preprocess import to_network_input
from classifier.weights import load_networks
from training.dataset import Digits

#: The middle of a network.
Body = Callable[[keras.KerasTensor], keras.KerasTensor]


def output(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What a network says."""
    return np.asarray(model(images, training=False), np.float32)


def with_any_weights(model: keras.Model, low: float = 0.05, high: float = 0.2) -> keras.Model:
    """Give a network weights of chance, of which the variances are positive as they are in trained ones."""
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(low, high, weight.shape).astype(np.float32) for weight in model.get_weights()])
    return model


def normalisations(model: keras.Model) -> int:
    """How many normalisations a network has."""
    return sum(isinstance(layer, layers.BatchNormalization) for layer in model.layers)


def straight(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(x)))
    return layers.BatchNormalization()(layers.Conv2D(4, 3)(layers.MaxPooling2D()(x)))


def residual(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Conv2D(4, 3, padding="same")(x)
    inner = layers.BatchNormalization(scale=False)(layers.Conv2D(4, 3, padding="same", use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, inner]))


def branched(x: keras.KerasTensor) -> keras.KerasTensor:
    left = layers.BatchNormalization(center=False)(layers.Conv2D(4, 3, padding="same")(x))
    return layers.Concatenate()([layers.ReLU()(left), layers.Conv2D(2, 1)(x), x])


def dense(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(x)))
    return layers.BatchNormalization()(layers.Dense(6, use_bias=False)(x))


def first(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Conv2D(4, 3)(layers.BatchNormalization()(x))


def after_a_sum(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Conv2D(4, 3, padding="same")(x)
    return layers.BatchNormalization()(layers.Add()([x, x]))


def after_an_activation(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(x))


def read_by_another(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Conv2D(4, 3, padding="same")(x)
    return layers.Add()([x, layers.BatchNormalization()(x)])


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (straight, 0),
        (residual, 0),
        (branched, 0),
        (dense, 0),
        (first, 1),
        (after_a_sum, 1),
        (after_an_activation, 1),
        (read_by_another, 1),
    ],
)
def test_every_form_folds_exactly_and_as_far_as_it_can(body: Body, left: int, digits: Digits) -> None:
    image = keras.Input((28, 28, 1))
    model = with_any_weights(keras.Model(image, layers.Dense(10)(layers.Flatten()(body(image)))), -0.2, 0.2)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(np.abs(layer.moving_variance) + 0.1)
    folded = fold(model)
    images = to_network_input(digits.images[:20])
    np.testing.assert_allclose(output(folded, images), output(model, images), rtol=1e-3, atol=1e-4)
    assert normalisations(folded) == left
    assert not any(isinstance(layer, layers.Dropout) for layer in folded.layers)


def test_folding_the_shipped_model_changes_nothing_but_rounding(digits: Digits) -> None:
    models, _ = load_networks(shipped_model())
    images = to_network_input(digits.images[:500])
    for model in models:
        folded = fold(model)
        np.testing.assert_allclose(output(folded, images), output(model, images), atol=1e-4)
        assert normalisations(folded) == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_folds_exactly_with_any_weights(architecture: str, digits: Digits) -> None:
    model = with_any_weights(build(architecture, dropout=0.3))
    images = to_network_input(digits.images[:20])
    folded = fold(model)
    np.testing.assert_allclose(output(folded, images), output(model, images), rtol=1e-4)
    assert normalisations(folded) == 0


def test_a_network_in_half_precision_is_folded_into_single_precision(digits: Digits) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = with_any_weights(build("cnn-xs"))
    finally:
        keras.config.set_dtype_policy("float32")
    whole = build("cnn-xs")
    whole.set_weights(half.get_weights())
    images = to_network_input(digits.images[:20])
    folded = output(fold(half), images)
    np.testing.assert_allclose(folded, output(whole, images), rtol=1e-4)
    assert not np.allclose(output(half, images), output(whole, images), rtol=1e-5)
