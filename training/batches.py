"""Batches of varied digits, as a stream that can be taken up anywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from classifier.preprocess import SIDE, to_network_input
from core.vocabulary import DIGITS
from training.augment import augment
from training.dataset import Digits
from training.recipe import Progress, Recipe, silent

#: Batches that are made at once, and that wait to be taken.
_HANDS, _WAITING = 2, 8


#: From images float32 (n, 28, 28, 1) to probabilities float32 (n, 10); made of what TensorFlow can trace.
Teacher = Callable[[tf.Tensor], tf.Tensor]


class Batches:
    """Varied digits in a new order every epoch; a batch depends on recipe, epoch and place alone."""

    def __init__(self, digits: Digits, recipe: Recipe) -> None:
        self._digits = digits
        self._recipe = recipe
        #: What a teacher says, float32, (epochs until the variations repeat, steps, batch size, 10); None: no teacher.
        self._taught: NDArray[np.float32] | None = None
        # Hands work at the same time, and each needs the same few orders.
        self._order = lru_cache(maxsize=4)(self._drawn_order)

    def __len__(self) -> int:
        """Full batches in an epoch; the rest sits out, so that every step has one shape."""
        return max(1, len(self._digits) // self._recipe.batch_size)

    def batch(self, epoch: int, place: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Make one batch.

        Returns:
            Images float32 (batch size, 28, 28, 1) in 0..1 and targets float32 (batch size, 10).
        """
        pass_, place = self._source(epoch, place)
        chosen = self._chosen(pass_, place)
        targets = one_hot(chosen.labels)
        if self._taught is not None:
            share = self._recipe.distillation
            targets = (1 - share) * targets + share * self._taught[pass_, place]
        return to_network_input(self._varied(chosen, pass_, place)), targets

    def stream(self, first_epoch: int) -> tf.data.Dataset:
        """All batches from an epoch on to the last, made ahead of being taken."""

        def make(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images, targets = tf.numpy_function(self._at, [step], (tf.float32, tf.float32))
            return tf.ensure_shape(images, (None, SIDE, SIDE, 1)), tf.ensure_shape(targets, (None, DIGITS))

        steps = tf.data.Dataset.range(first_epoch * len(self), self._recipe.epochs * len(self))
        return steps.map(make, num_parallel_calls=_HANDS, deterministic=True).prefetch(_WAITING)

    def learn_from(self, teacher: Teacher, *, progress: Progress = silent) -> None:
        """Ask a teacher once about every varied digit, and mix what it says into the targets.

        Args:
            teacher: whom to ask.
            progress: told of every pass.
        """
        ask = tf.function(teacher, autograph=False)
        passes = min(self._recipe.repeat_after, self._recipe.epochs)
        size = min(self._recipe.batch_size, len(self._digits))
        taught = np.empty((passes, len(self), size, DIGITS), np.float32)
        for pass_ in range(passes):
            for place in range(len(self)):
                varied = self._varied(self._chosen(pass_, place), pass_, place)
                taught[pass_, place] = ask(tf.constant(to_network_input(varied)))
            progress(pass_ + 1, passes, "the teacher is asked")
        self._taught = taught

    def _at(self, step: np.int64) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.batch(*divmod(int(step), len(self)))

    def _source(self, epoch: int, place: int) -> tuple[int, int]:
        """Which pass and place a batch comes from: where variations repeat, whole batches come in a new order."""
        repeat = self._recipe.repeat_after
        if not repeat:
            return epoch, place
        if epoch < repeat:
            return epoch, place
        order = np.random.default_rng([self._recipe.seed, epoch]).permutation(len(self))
        return epoch % repeat, int(order[place])

    def _chosen(self, pass_: int, place: int) -> Digits:
        size = self._recipe.batch_size
        return self._digits.take(self._order(pass_)[place * size : (place + 1) * size])

    def _varied(self, chosen: Digits, pass_: int, place: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([self._recipe.seed, pass_, place])
        return augment(chosen.images, rng, self._recipe.variation)

    def _drawn_order(self, pass_: int) -> NDArray[np.int64]:
        return np.random.default_rng([self._recipe.seed, pass_]).permutation(len(self._digits))


def one_hot(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Turn labels int64 (n,) into targets float32 (n, 10); where there is no digit each is as likely as the others."""
    targets = np.vstack([np.eye(DIGITS, dtype=np.float32), np.full(DIGITS, 1 / DIGITS, np.float32)])
    return targets[labels]  # NO_DIGIT, which is -1, takes the last
