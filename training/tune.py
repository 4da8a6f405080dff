"""Search for a better recipe by chance (Bergstra and Bengio 2012); a search that was killed goes on where it stood."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.dataset import Split, load_mnist, prepare_all, split
from training.fit import fit
from training.recipe import Progress, Recipe, silent

#: One line a finished trial.
TRIALS = "trials.jsonl"

_ARCHITECTURES = ("cnn-xs", "cnn-s")
_BATCH_SIZES = (64, 128, 256)


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe and how it did on the validation digits."""

    number: int
    architecture: str
    batch_size: int
    learning_rate: float
    dropout: float
    validation_accuracy: float
    validation_loss: float
    seconds: float
    #: What the whole search has in common; trials of other settings are not comparable.
    settings: Mapping[str, int]

    def as_dict(self) -> dict[str, object]:
        """The trial as JSON takes it."""
        return dataclasses.asdict(self)


def tune(
    data: Path | None,
    folder: Path,
    *,
    trials: int = 12,
    epochs: int = 4,
    samples: int = 10_000,
    seed: int = 3,
    progress: Progress = silent,
) -> list[Trial]:
    """Search over width, batch size, learning rate and dropout; the test digits stay out of it.

    Args:
        data: folder of the four IDX files; None: Keras downloads them.
        folder: where finished trials are kept; the same call again goes on after the last of them.
        trials: how many recipes.
        epochs: of every trial.
        samples: training digits of every trial.
        seed: of split, choice, recipes and networks.
        progress: told of every trial.

    Returns:
        All trials, the best first: by accuracy, then by loss.

    Raises:
        DatasetError: a file of MNIST is missing, damaged or another.
        ValueError: more samples than there are.
    """
    parts = split(prepare_all(load_mnist(data).train), seed=seed)
    chosen = np.random.default_rng(seed).choice(len(parts.train), samples, replace=False)
    parts = Split(parts.train.take(chosen), parts.validation)
    return tune_on(parts, folder, trials=trials, epochs=epochs, seed=seed, progress=progress)


def tune_on(
    parts: Split, folder: Path, *, trials: int, epochs: int, seed: int = 3, progress: Progress = silent
) -> list[Trial]:
    """Search on any prepared digits; as `tune` otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TRIALS
    settings = {"epochs": epochs, "samples": len(parts.train), "measured_on": len(parts.validation), "seed": seed}
    finished = {trial.number: trial for trial in read_trials(path) if trial.settings == settings}
    for number in range(trials):
        if number not in finished:
            finished[number] = _try(number, parts, draw(number, epochs=epochs, seed=seed), settings)
            _append(path, finished[number])
        note = f"trial {number + 1}/{trials}: {finished[number].validation_accuracy:.2%}"
        progress(number + 1, trials, note)
    wanted = [finished[number] for number in range(trials)]
    return sorted(wanted, key=lambda trial: (-trial.validation_accuracy, trial.validation_loss))


def draw(number: int, *, epochs: int, seed: int) -> Recipe:
    """Draw the recipe of a trial, which depends on seed and number alone."""
    rng = np.random.default_rng([seed, number])
    return Recipe(
        architecture=str(rng.choice(_ARCHITECTURES)),
        batch_size=int(rng.choice(_BATCH_SIZES)),
        learning_rate=float(10 ** rng.uniform(-3.5, -2.0)),
        dropout=float(rng.uniform(0, 0.5)),
        epochs=epochs,
        # A short training outruns a long average.
        ema_momentum=0.98,
        seed=seed,
    )


def read_trials(path: Path) -> list[Trial]:
    """Read finished trials; a last line that was cut off by a kill counts as not finished."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [Trial(**json.loads(line)) for line in whole.splitlines() if line]


def _try(number: int, parts: Split, recipe: Recipe, settings: Mapping[str, int]) -> Trial:
    started = time.perf_counter()
    _, history = fit(parts, recipe)
    return Trial(
        number=number,
        architecture=recipe.architecture,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        dropout=recipe.dropout,
        validation_accuracy=history["validation_accuracy"][-1],
        validation_loss=history["validation_loss"][-1],
        seconds=round(time.perf_counter() - started, 2),
        settings=settings,
    )


def _append(path: Path, trial: Trial) -> None:
    """Add a line, after cutting off what a killed search left of its last one."""
    with path.open("a+b") as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.write(json.dumps(trial.as_dict()).encode() + b"\n")
