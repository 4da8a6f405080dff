"""A part of the digits, for what is quick and compares: methods with methods, recipes with recipes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from training.dataset import Split, load_dataset, prepare_all, split
from training.recipe import Recipe

#: Digits to measure on, at most; of fewer than five times as many, every fifth one.
_MEASURED_ON = 5000
_PARTS = 5


def excerpt(data: Path | None, *, samples: int, seed: int) -> Split:
    """Load digits to learn from, part them, and leave some to learn from; those for the final report stay out of it.

    Args:
        data: folder of MNIST's four IDX files, or class folders `0` to `9` of images; None: Keras downloads MNIST.
        samples: digits to learn from, at most, drawn by chance.
        seed: of the parting and of the drawing.

    Returns:
        Prepared digits; up to 5,000 of them, stratified, to measure on.

    Raises:
        DatasetError: the data is missing, damaged, or too little of a digit.
    """
    digits = prepare_all(load_dataset(data).train)
    parts = split(digits, validation=min(_MEASURED_ON, len(digits) // _PARTS), seed=seed)
    size = min(samples, len(parts.train))
    chosen = np.random.default_rng(seed).choice(len(parts.train), size, replace=False)
    return Split(parts.train.take(chosen), parts.validation)


def shortened(recipe: Recipe, digits: int) -> Recipe:
    """Fit the moving average of the weights to a short training: it spans a tenth of the steps, not more of them.

    Args:
        recipe: how to train.
        digits: how many are trained on.
    """
    steps = recipe.epochs * max(1, digits // recipe.batch_size)
    return dataclasses.replace(recipe, ema_momentum=min(recipe.ema_momentum, max(0.0, 1 - 10 / steps)))
