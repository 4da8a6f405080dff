"""Fit one network to digits by a recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from classifier.network import build
from classifier.preprocess import to_network_input
from training.batches import Batches, Teacher, one_hot
from training.checkpoint import Checkpoint, History
from training.dataset import Split
from training.recipe import Progress, Recipe, silent

#: Steps between two notes of progress within an epoch.
_NOTE_EVERY = 20

#: What Keras calls a value, and what the history does.
_NAMES = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_loss": "validation_loss",
    "val_accuracy": "validation_accuracy",
}

#: Told after every epoch: its number from 0, and its values.
OnEpoch = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class Run:
    """How a training runs, which has no say in what comes of it."""

    #: Told of every few steps and of every epoch.
    progress: Progress = silent
    #: File to keep the state in after every epoch, and to go on from; None: a kill loses the training.
    checkpoint: Path | None = None
    #: Folder for TensorBoard; None: no log.
    tensorboard: Path | None = None
    #: Compute in an order that always gives the same bits, at some cost.
    deterministic: bool = False
    #: Called after every epoch; an exception of it ends the training.
    on_epoch: OnEpoch | None = None


class _Course(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Keep the history, tell of progress, save the state, and end what gets no better."""

    def __init__(self, run: Run, recipe: Recipe, steps: int, history: History, checkpoint: Checkpoint | None) -> None:
        super().__init__()
        self.history = history or {name: [] for name in (*_NAMES.values(), "seconds")}
        self._run = run
        self._recipe = recipe
        self._steps = steps
        self._checkpoint = checkpoint
        self._started = 0.0

    @property
    def epochs(self) -> int:
        """How many there are to be, those before a kill included."""
        return self._recipe.epochs

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do: all epochs are over, or the last ones brought nothing."""
        losses = self.history["validation_loss"]
        patience = self._recipe.patience
        tired = bool(patience) and len(losses) - 1 - int(np.argmin(losses or [0.0])) >= patience
        return len(losses) >= self._recipe.epochs or tired

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002  # Keras calls it so
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if batch % _NOTE_EVERY == 0:
            loss = (logs or {}).get("loss", 0.0)
            self._note(batch + 1, f"epoch {self._epoch + 1}/{self._recipe.epochs}, loss {loss:.4f}{self._last()}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        values = {name: round(float((logs or {})[key]), 5) for key, name in _NAMES.items()}
        values["seconds"] = round(time.perf_counter() - self._started, 2)
        for name, value in values.items():
            self.history[name].append(value)
        if self._checkpoint is not None:
            self._checkpoint.save(self.model, self.history)
        self._note(0, f"epoch {epoch + 1}/{self._recipe.epochs}, loss {values['loss']:.4f}{self._last()}")
        if self._run.on_epoch is not None:
            self._run.on_epoch(epoch, values)
        if self.over:
            self.model.stop_training = True

    @property
    def _epoch(self) -> int:
        return len(self.history["loss"])

    def _last(self) -> str:
        accuracies = self.history["validation_accuracy"]
        return f", validation {accuracies[-1]:.2%}" if accuracies else ""

    def _note(self, step: int, message: str) -> None:
        self._run.progress(self._epoch * self._steps + step, self._recipe.epochs * self._steps, message)


def fit(
    parts: Split, recipe: Recipe, *, run: Run | None = None, teacher: Teacher | None = None
) -> tuple[keras.Model, History]:
    """Train a network; what comes back has the averaged weights of the last epoch, not of the luckiest.

    Args:
        parts: prepared digits to learn from and to watch.
        recipe: how.
        run: how the training runs; a checkpoint of the same training is gone on with.
        teacher: asked where the recipe has a `distillation`.

    Returns:
        The model, from float32 (n, 28, 28, 1) to logits (n, 10), and the history by epoch.

    Raises:
        ArtifactError: the checkpoint is damaged or another training's.
    """
    run = run or Run()
    keras.utils.set_random_seed(recipe.seed)
    if run.deterministic:
        tf.config.experimental.enable_op_determinism()
    batches = Batches(parts.train, recipe)
    model = _compiled(recipe, len(batches))
    checkpoint = None if run.checkpoint is None else Checkpoint(run.checkpoint, recipe, parts.train)
    history = {} if checkpoint is None else checkpoint.restore(model)
    course = _Course(run, recipe, len(batches), history, checkpoint)
    if course.over:
        # As Keras does at the end of a training: the averages become the weights.
        model.optimizer.finalize_variable_values(model.trainable_weights)
        return model, course.history
    if teacher is not None and recipe.distillation:
        batches.learn_from(teacher, progress=run.progress)
    _train(model, batches, parts, course, run.tensorboard)
    return model, course.history


def _train(model: keras.Model, batches: Batches, parts: Split, course: _Course, log: Path | None) -> None:
    done = len(course.history["loss"])
    model.fit(
        batches.stream(done),
        initial_epoch=done,
        epochs=course.epochs,
        steps_per_epoch=len(batches),
        validation_data=(to_network_input(parts.validation.images), one_hot(parts.validation.labels)),
        validation_batch_size=500,
        callbacks=[
            keras.callbacks.SwapEMAWeights(),
            *([] if log is None else [keras.callbacks.TensorBoard(log)]),
            course,
        ],
        shuffle=False,  # the stream has an order already
        verbose=0,
    )


def _compiled(recipe: Recipe, steps_per_epoch: int) -> keras.Model:
    with _computing_in(recipe.precision):
        model = build(recipe.architecture, dropout=recipe.dropout)
    model.compile(
        optimizer=_optimizer(recipe, steps_per_epoch),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        # On processors XLA's convolutions take twice the time of oneDNN's.
        jit_compile=bool(tf.config.list_physical_devices("GPU")),
    )
    model.optimizer.build(model.trainable_variables)
    return model


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


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
