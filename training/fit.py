"""Fit one network to digits by a recipe."""

from __future__ import annotations

import time
from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from classifier.network import build
from classifier.preprocess import to_network_input
from core.vocabulary import DIGITS
from training.augment import augment
from training.dataset import Digits, Split
from training.recipe import Progress, Recipe, silent

#: Steps between two notes of progress within an epoch.
_NOTE_EVERY = 20

#: Values by epoch: loss, accuracy, validation_loss, validation_accuracy, seconds.
History = dict[str, list[float]]


class VariedDigits(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Batches of varied digits in a new order every epoch; every batch depends on its seed, epoch and place alone."""

    def __init__(self, digits: Digits, recipe: Recipe) -> None:
        super().__init__()
        self._digits = digits
        self._recipe = recipe
        self._epoch = 0
        self._order = self._shuffled()

    def __len__(self) -> int:
        """Full batches in an epoch; the rest sits out, so that every step has one shape."""
        return max(1, len(self._digits) // self._recipe.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size = self._recipe.batch_size
        chosen = self._digits.take(self._order[index * size : (index + 1) * size])
        rng = np.random.default_rng([self._recipe.seed, self._epoch, index])
        images = augment(chosen.images, rng, self._recipe.variation)
        return to_network_input(images), one_hot(chosen.labels)

    def on_epoch_end(self) -> None:
        """Draw a new order; Keras calls this."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng([self._recipe.seed, self._epoch]).permutation(len(self._digits))


class _Reporter(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Pass Keras's callbacks on as progress, and take the time of every epoch."""

    def __init__(self, progress: Progress, epochs: int, steps: int) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._progress = progress
        self._epochs = epochs
        self._steps = steps
        self._epoch = 0
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002  # Keras calls it so
        self._epoch = epoch
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002  # Keras calls it so
        if batch % _NOTE_EVERY == 0:
            self._note(batch + 1, f"epoch {self._epoch + 1}/{self._epochs}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.seconds.append(round(time.perf_counter() - self._started, 2))
        accuracy = (logs or {}).get("val_accuracy", 0.0)
        self._note(self._steps, f"epoch {epoch + 1}/{self._epochs}: {accuracy:.2%} of the validation digits right")

    def _note(self, step: int, message: str) -> None:
        self._progress(self._epoch * self._steps + step, self._epochs * self._steps, message)


def fit(parts: Split, recipe: Recipe, *, progress: Progress = silent) -> tuple[keras.Model, History]:
    """Train a network; what comes back has the averaged weights of the last epoch, not of the luckiest.

    Args:
        parts: prepared digits to learn from and to watch.
        recipe: how.
        progress: told of every few steps and of every epoch.

    Returns:
        The model, from float32 (n, 28, 28, 1) to logits (n, 10), and the history by epoch.
    """
    keras.utils.set_random_seed(recipe.seed)
    batches = VariedDigits(parts.train, recipe)
    model = build(recipe.architecture, dropout=recipe.dropout)
    model.compile(
        optimizer=_optimizer(recipe, len(batches)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    reporter = _Reporter(progress, recipe.epochs, len(batches))
    watched = to_network_input(parts.validation.images), one_hot(parts.validation.labels)
    logs = model.fit(
        batches,
        epochs=recipe.epochs,
        validation_data=watched,
        validation_batch_size=500,
        callbacks=[keras.callbacks.SwapEMAWeights(), reporter],
        shuffle=False,
        verbose=0,
    )
    return model, _history(logs.history, reporter.seconds)


def one_hot(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Turn labels int64 (n,) into targets float32 (n, 10)."""
    return np.eye(DIGITS, dtype=np.float32)[labels]


def _optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    steps = recipe.epochs * steps_per_epoch
    rising = round(steps * recipe.warmup)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 25,
        warmup_target=recipe.learning_rate,
        warmup_steps=rising,
        decay_steps=max(1, steps - rising),
    )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=recipe.weight_decay, use_ema=True, ema_momentum=recipe.ema_momentum
    )
    # Scales and offsets of the normalisation are few and do not overfit.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _history(logs: Mapping[str, list[float]], seconds: list[float]) -> History:
    names = {
        "loss": "loss",
        "accuracy": "accuracy",
        "val_loss": "validation_loss",
        "val_accuracy": "validation_accuracy",
    }
    history = {name: [round(float(value), 5) for value in logs[key]] for key, name in names.items()}
    return {**history, "seconds": seconds}
