"""Everything that decides how a network is trained; the defaults are those of the shipped model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from training.augment import Variation


class Progress(Protocol):
    """What long-running functions tell about themselves."""

    def __call__(self, done: int, total: int, message: str) -> None:
        """Take note that `done` of `total` steps are over; the message says what the last of them brought."""


def silent(done: int, total: int, message: str) -> None:
    """Take no note."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    #: Name in `classifier.network.ARCHITECTURES`.
    architecture: str = "cnn-s"
    #: Times that every digit is seen, varied anew each time.
    epochs: int = 30
    #: Digits in one step.
    batch_size: int = 128
    #: Highest learning rate; it rises to it in a line and falls from it in half a cosine wave.
    learning_rate: float = 3e-3
    #: Share of the steps in which the learning rate rises, 0 to 1.
    warmup: float = 0.1
    #: Decoupled weight decay (Loshchilov and Hutter 2019).
    weight_decay: float = 1e-2
    #: Momentum of the moving average of the weights, which is what is kept, 0 to 1.
    ema_momentum: float = 0.99
    #: Share of the target given to the wrong classes (Szegedy et al. 2016), 0 to 1.
    label_smoothing: float = 0.05
    #: Share of features dropped before the last layer, 0 to 1.
    dropout: float = 0.2
    #: Digits set aside to choose by and to calibrate on.
    validation: int = 5000
    #: Seed of the split, the first weights, the order and the variations.
    seed: int = 3
    #: How far digits are varied.
    variation: Variation = field(default_factory=Variation)
