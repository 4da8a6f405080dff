"""Make one model of trained networks: calibrate them, and set when the careful ones are asked.

Everything is chosen on validation digits, which no network was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import softmax

from classifier.artifact import RiskPoint
from classifier.keras_runtime import KerasNetworks
from classifier.predict import Cascade
from classifier.preprocess import to_network_input
from classifier.views import Shift, looks, mean_of_looks
from training.batches import Teacher
from training.calibrate import fit_temperature, risk_points
from training.dataset import Digits
from training.recipe import ModelRecipe

_BATCH = 500
#: Share of the validation digits, the least sure ones, that the careful networks are calibrated on.
_UNSURE = 0.1


@dataclass(frozen=True, slots=True)
class Parts:
    """What a card says of networks that score together, and they themselves, ready to."""

    temperature: float
    careful_temperature: float
    escalate_below: float
    risk: tuple[RiskPoint, ...]
    energy_limit: float | None
    energy_doubt: float | None
    scorer: Cascade


def assemble(networks: Sequence[keras.Model], validation: Digits, recipe: ModelRecipe) -> Parts:
    """Calibrate networks (Guo et al. 2017) and choose the thresholds of the cascade.

    Args:
        networks: the fast one, then the careful ones, if any.
        validation: prepared digits that none was trained on.
        recipe: says how many of them may be passed on, pass for digits, and be sure.
    """
    fast, *careful = networks
    said = logits(fast, validation)
    temperature = fit_temperature(said, validation.labels)
    careful_temperature, escalate_below = 1.0, 0.0
    if careful:
        confidences = softmax(said / temperature, axis=1).max(axis=1)
        escalate_below = threshold(confidences, recipe.escalate)
        # The careful networks see only what the fast one is least sure of; of that alone there would be too few.
        unsure = np.argsort(confidences)[: int(max(recipe.escalate, _UNSURE) * len(confidences))]
        careful_temperature = _careful_temperature(careful, validation.take(unsure), recipe.shifts)
    scorer = Cascade(
        KerasNetworks([fast]),
        KerasNetworks(careful) if careful else None,
        batch_size=_BATCH,
        shifts=recipe.shifts,
        temperature=temperature,
        careful_temperature=careful_temperature,
        escalate_below=escalate_below,
    )
    scores = scorer(validation.images)
    risk = risk_points(scores.confidences, scores.labels == validation.labels)
    limit, doubt = (
        # Without outliers to learn from, the networks cannot tell what is no digit.
        float(np.quantile(scores.energies, share)) if recipe.fast.outliers else None
        for share in (recipe.keep, recipe.sure)
    )
    return Parts(temperature, careful_temperature, escalate_below, risk, limit, doubt, scorer)


def _careful_temperature(careful: Sequence[keras.Model], unsure: Digits, shifts: Sequence[Shift]) -> float:
    seen = looks(to_network_input(unsure.images), shifts)
    said = mean_of_looks(np.mean([_predict(model, seen) for model in careful], axis=0), shifts)
    return fit_temperature(said, unsure.labels)


def threshold(confidences: NDArray[np.float32], share: float) -> float:
    """Find the confidence that at most the given share of images lies below.

    Args:
        confidences: float32, (n,), 0 to 1.
        share: 0 to 1.

    Returns:
        0 where not a single image may lie below it.
    """
    ranked = np.sort(confidences)
    allowed = int(share * len(ranked))
    if allowed == 0:
        return 0.0
    if allowed >= len(ranked):
        return 1.0
    # Half-way to the next one, so that no rounding moves an image across.
    return (float(ranked[allowed - 1]) + float(ranked[allowed])) / 2


def teacher_of(networks: Sequence[keras.Model], validation: Digits) -> Teacher:
    """Join careful networks into one that a fast network can learn from (Hinton et al. 2015).

    Args:
        networks: trained, from float32 (n, 28, 28, 1) to logits (n, 10); at least one.
        validation: prepared digits to calibrate on.
    """
    temperature = fit_temperature(np.mean([logits(one, validation) for one in networks], axis=0), validation.labels)

    def teach(images: tf.Tensor) -> tf.Tensor:
        said = tf.add_n([network(images, training=False) for network in networks])
        return tf.nn.softmax(said / (len(networks) * temperature))

    return teach


def logits(model: keras.Model, digits: Digits) -> NDArray[np.float32]:
    """Compute the logits of prepared digits, float32, (n, 10)."""
    return _predict(model, to_network_input(digits.images))


def _predict(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(model.predict(images, batch_size=_BATCH, verbose=0))
