"""The space that recipes are searched in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from optuna.trial import BaseTrial

from classifier.network import ARCHITECTURES
from core.errors import SettingsError
from training.recipe import Recipe

#: Lowest and highest value.
Bounds = tuple[float, float]

#: What is drawn by its order of magnitude.
_LOGARITHMIC = ("learning_rate", "weight_decay")
#: Highest value that makes sense; a dropout of everything learns nothing.
_HIGHEST = {"learning_rate": 1.0, "weight_decay": 1.0, "dropout": 0.95, "label_smoothing": 0.95}


@dataclass(frozen=True, slots=True)
class Space:
    """What a search may choose from; where both bounds are the same, nothing is left to choose."""

    architectures: tuple[str, ...] = ("cnn-s", "cnn-fast")
    #: Digits in one step.
    batch_sizes: tuple[int, ...] = (64, 128, 256)
    #: Drawn by its order of magnitude.
    learning_rate: Bounds = (3e-4, 1e-2)
    #: Share of features dropped before the last layer.
    dropout: Bounds = (0.0, 0.5)
    #: Drawn by its order of magnitude.
    weight_decay: Bounds = (1e-4, 1e-1)
    #: Share of the target given to the wrong classes.
    label_smoothing: Bounds = (0.0, 0.1)

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn from.

        Raises:
            SettingsError: an architecture is unknown, a choice empty, or a bound makes no sense.
        """
        if not self.architectures or not self.batch_sizes:
            raise SettingsError(
                "There is nothing to choose from.", mend="Name at least one architecture and batch size."
            )
        for architecture in self.architectures:
            if architecture not in ARCHITECTURES:
                known = ", ".join(ARCHITECTURES)
                raise SettingsError(f"There is no architecture {architecture!r}.", mend=f"There are: {known}.")
        if min(self.batch_sizes) < 1:
            raise SettingsError(f"A batch size of {min(self.batch_sizes)} makes no sense.", mend="Give 1 or more.")
        for name, highest in _HIGHEST.items():
            _check(name, getattr(self, name), highest)

    def as_dict(self) -> dict[str, object]:
        """The space as JSON takes it."""
        return {name: list(value) for name, value in dataclasses.asdict(self).items()}

    def draw(self, trial: BaseTrial, usual: Recipe) -> Recipe:
        """Draw the recipe of a trial.

        Args:
            trial: what draws, and remembers.
            usual: all that is not searched for.
        """
        return dataclasses.replace(
            usual,
            architecture=trial.suggest_categorical("architecture", self.architectures),
            batch_size=trial.suggest_categorical("batch_size", self.batch_sizes),
            learning_rate=trial.suggest_float("learning_rate", *self.learning_rate, log=True),
            dropout=trial.suggest_float("dropout", *self.dropout),
            # No decay at all has no order of magnitude, and is then the only choice.
            weight_decay=trial.suggest_float("weight_decay", *self.weight_decay, log=self.weight_decay[0] > 0),
            label_smoothing=trial.suggest_float("label_smoothing", *self.label_smoothing),
        )


def _check(name: str, bounds: Bounds, highest: float) -> None:
    low, high = bounds
    said = name.replace("_", " ")
    # Asked so that a NaN does not pass.
    if not 0 <= low <= high <= highest:
        raise SettingsError(
            f"A {said} from {low:g} to {high:g} makes no sense.",
            mend=f"Give two numbers, 0 <= LOW <= HIGH <= {highest:g}.",
        )
    if name in _LOGARITHMIC and low == 0 < high:
        raise SettingsError(f"A {said} from 0 has no order of magnitude.", mend="Give a lower bound above 0.")
    if name == "learning_rate" and low == 0:
        raise SettingsError("A learning rate of 0 learns nothing.", mend="Give a lower bound above 0.")
