"""Search for a better recipe (TPE, Bergstra et al. 2011); a search that was killed goes on where it stood."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from core.errors import SettingsError
from training import study as studies
from training.dataset import Split
from training.excerpt import shortened
from training.fit import Run, fit
from training.recipe import Progress, Recipe, silent
from training.space import Space

#: Trials drawn by chance alone, before what they found guides the search.
_BY_CHANCE = 8
#: Trials that run to their end, before others are measured by them and may be ended early.
_UNPRUNED = 5
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_LOSS = "validation_loss"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a search may cost."""

    #: Finished trials in all, those of earlier calls too.
    trials: int = 24
    #: Time after which no further trial is begun, in seconds; None: all trials.
    seconds: float | None = None
    #: Epochs of every trial.
    epochs: int = 4


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe and how it did on the validation digits."""

    number: int
    #: `complete`, or `pruned`: ended early, since it did worse than most.
    state: str
    validation_accuracy: float
    #: None where the training went astray.
    validation_loss: float | None
    architecture: str
    batch_size: int
    learning_rate: float
    dropout: float
    weight_decay: float
    label_smoothing: float
    #: Epochs it ran.
    epochs: int
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """The trial as JSON takes it."""
        return dataclasses.asdict(self)


def tune(
    parts: Split,
    folder: Path,
    *,
    space: Space | None = None,
    budget: Budget | None = None,
    seed: int = 3,
    progress: Progress = silent,
) -> list[Trial]:
    """Search for a recipe.

    Args:
        parts: prepared digits that every trial is trained on, and measured on.
        folder: where the search is kept; the same call again goes on with it.
        space: what recipes are drawn from; default: `Space()`.
        budget: how many trials, how long; default: `Budget()`.
        seed: of recipes and networks.
        progress: told of every few steps and of every trial.

    Returns:
        All finished trials, the best first; see `ranked`.

    Raises:
        SettingsError: the search in the folder has other settings, or somebody goes on with it already.
    """
    space, budget = space or Space(), budget or Budget()
    usual = Recipe(epochs=budget.epochs, seed=seed)
    known = {"epochs": budget.epochs, "samples": len(parts.train), "seed": seed, "digits": _digest(parts)}
    started = time.monotonic()
    # An epoch alone says little while the learning rate still rises.
    pruner = MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=1)
    with studies.opened(folder, known | space.as_dict(), pruner=pruner) as study:
        while (done := len(_finished(study))) < budget.trials:
            if budget.seconds is not None and time.monotonic() - started >= budget.seconds:
                break
            _try(study, parts, space, usual, number=done, progress=_within(progress, done, budget.trials))
        return ranked(study)


def ranked(study: optuna.Study) -> list[Trial]:
    """The finished trials of a search, the best first: complete ones by accuracy, then by loss; then pruned ones."""
    trials = [_trial(trial) for trial in _finished(study)]
    return sorted(
        trials,
        key=lambda trial: (
            trial.state != "complete",
            -trial.validation_accuracy,
            math.inf if trial.validation_loss is None else trial.validation_loss,
        ),
    )


def recipe_of(folder: Path, number: int | None = None) -> Recipe:
    """Make the recipe of a trial: what was searched for is the trial's, all else the usual for a whole training.

    Args:
        folder: where the search is kept.
        number: the trial's; None: the best one.

    Raises:
        SettingsError: there is no search in the folder, or no such finished trial in it.
    """
    study = studies.read(folder)
    best = [trial.number for trial in ranked(study)]
    if not best:
        raise SettingsError(f"The search in {folder} has no finished trial.", mend="Go on with `digitline tune`.")
    wanted = best[0] if number is None else number
    if wanted not in best:
        known = ", ".join(map(str, sorted(best)))
        raise SettingsError(f"The search in {folder} has no finished trial {wanted}.", mend=f"There are: {known}.")
    return dataclasses.replace(Recipe(), **study.trials[wanted].params)


def importance(folder: Path, *, seed: int = 3) -> dict[str, float]:
    """Tell how much of the accuracy's variation each choice explains (fANOVA, Hutter et al. 2014).

    Returns:
        Shares that sum to 1, the largest first; empty where fewer than two trials are complete, or all did as well.

    Raises:
        SettingsError: there is no search in the folder, or it is damaged.
    """
    study = studies.read(folder)
    values = {trial.value for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    if len(values) < 2:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))


def _try(study: optuna.Study, parts: Split, space: Space, usual: Recipe, *, number: int, progress: Progress) -> None:
    """Run one trial; `number` counts finished ones, so that one that was killed is drawn again as it was."""
    study.sampler = TPESampler(seed=_seed(usual.seed, number), n_startup_trials=_BY_CHANCE)
    trial = study.ask()
    recipe = shortened(space.draw(trial, usual), len(parts.train))

    def watch(epoch: int, values: Mapping[str, float]) -> None:
        trial.report(values["validation_accuracy"], epoch)
        trial.set_user_attr(_LOSS, _finite(values["validation_loss"]))
        # After its last epoch a trial may as well count as complete.
        if epoch + 1 < recipe.epochs and trial.should_prune():
            raise optuna.TrialPruned

    try:
        _, history = fit(parts, recipe, run=Run(progress=progress, on_epoch=watch))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, history["validation_accuracy"][-1])
    progress(1, 1, f"{study.trials[-1].value:.2%}")


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _within(progress: Progress, before: int, trials: int) -> Progress:
    """What a trial tells about itself, as a message beside the count of the trials."""

    def note(done: int, total: int, message: str) -> None:
        progress(before + (done >= total), trials, f"trial {before + 1}/{trials}: {message}")

    return note


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=_FINISHED)


def _trial(frozen: FrozenTrial) -> Trial:
    duration = frozen.duration
    return Trial(
        number=frozen.number,
        state=frozen.state.name.lower(),
        validation_accuracy=math.nan if frozen.value is None else frozen.value,
        validation_loss=frozen.user_attrs.get(_LOSS),
        **frozen.params,
        epochs=len(frozen.intermediate_values),
        seconds=0.0 if duration is None else round(duration.total_seconds(), 2),
    )


def _digest(parts: Split) -> str:
    """Name the digits by their bytes, so that trials on others are not taken for the same search."""
    arrays = (parts.train.images, parts.train.labels, parts.validation.images, parts.validation.labels)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
