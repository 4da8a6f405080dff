"""A search draws the same recipes again, goes on where it was killed, and mixes nothing that does not compare."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.pruners import NopPruner
from optuna.trial import TrialState

from core.errors import SettingsError
from training import study as studies
from training.dataset import Split
from training.recipe import Recipe
from training.search_figures import write_figures
from training.space import Space
from training.tune import Budget, Trial, importance, ranked, recipe_of, tune

_SPACE = Space(architectures=("cnn-xs",), batch_sizes=(32, 64))
_NAMES = ["architecture", "batch_size", "learning_rate", "dropout", "weight_decay", "label_smoothing"]


@pytest.fixture(scope="module")
def tiny(few: Split) -> Split:
    """128 digits to learn from."""
    return Split(few.train.take(np.arange(128)), few.validation)


@pytest.fixture(scope="module")
def searched(tiny: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of three trials that nobody disturbed."""
    folder = tmp_path_factory.mktemp("searched")
    tune(tiny, folder, space=_SPACE, budget=Budget(trials=3, epochs=1))
    return folder


@pytest.fixture(scope="module")
def trials(tiny: Split, searched: Path) -> list[Trial]:
    """What the same call tells again of that search, without any training."""
    return tune(tiny, searched, space=_SPACE, budget=Budget(trials=3, epochs=1))


def _drawn(trial: Trial) -> Mapping[str, object]:
    return {name: getattr(trial, name) for name in _NAMES}


def _drawn_in_order(trials: list[Trial]) -> list[Mapping[str, object]]:
    return [_drawn(trial) for trial in sorted(trials, key=lambda trial: trial.number)]


def test_trials_are_drawn_from_the_space_and_the_best_comes_first(trials: list[Trial]) -> None:
    assert sorted(trial.number for trial in trials) == [0, 1, 2]
    assert [trial.validation_accuracy for trial in trials] == sorted(
        (trial.validation_accuracy for trial in trials), reverse=True
    )
    assert len({trial.learning_rate for trial in trials}) == 3
    for trial in trials:
        assert (trial.state, trial.architecture, trial.epochs) == ("complete", "cnn-xs", 1)
        assert trial.batch_size in _SPACE.batch_sizes
        assert _SPACE.learning_rate[0] <= trial.learning_rate <= _SPACE.learning_rate[1]
        assert trial.seconds > 0
        json.dumps(trial.as_dict(), allow_nan=False)


def test_a_killed_search_goes_on_where_it_stood_and_tries_anew_what_was_running(
    tiny: Split, trials: list[Trial], tmp_path: Path
) -> None:
    (first,) = tune(tiny, tmp_path, space=_SPACE, budget=Budget(trials=1, epochs=1))
    # What a kill leaves in the worst moment: a trial that runs, Optuna's lock, and half a line.
    studies.read(tmp_path).ask()
    (tmp_path / f"{studies.JOURNAL}.lock").touch()
    with (tmp_path / studies.JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code":6,"worker')

    notes: list[tuple[int, int, str]] = []
    resumed = tune(
        tiny,
        tmp_path,
        space=_SPACE,
        budget=Budget(trials=3, epochs=1),
        progress=lambda *note: notes.append(note),
    )

    assert first in resumed
    states = [trial.state for trial in studies.read(tmp_path).trials]
    assert states == [TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    assert (notes[0][0], notes[-1][:2]) == (1, (3, 3))
    assert _drawn_in_order(resumed) == _drawn_in_order(trials)


@pytest.mark.timeout(20)  # Optuna waits 30 s before it breaks a lock
def test_a_lock_that_a_kill_left_behind_is_not_waited_for(tmp_path: Path) -> None:
    with studies.opened(tmp_path, {"seed": 3}, pruner=NopPruner()):
        (tmp_path / f"{studies.JOURNAL}.lock").touch()
    with studies.opened(tmp_path, {"seed": 3}, pruner=NopPruner()) as study:
        assert study.user_attrs == {"settings": {"seed": 3}}


def test_a_search_that_has_its_trials_trains_nothing_more(tiny: Split, searched: Path, trials: list[Trial]) -> None:
    assert tune(tiny, searched, space=_SPACE, budget=Budget(trials=2, epochs=1)) == trials
    assert len(studies.read(searched).trials) == 3


def test_no_trial_is_begun_when_the_time_is_up(tiny: Split, tmp_path: Path) -> None:
    assert tune(tiny, tmp_path, space=_SPACE, budget=Budget(trials=3, seconds=0.0, epochs=1)) == []


@pytest.mark.parametrize(
    ("budget", "space", "seed", "named"),
    [
        (Budget(trials=4, epochs=2), _SPACE, 3, "other epochs: 1, not 2"),
        (Budget(trials=4, epochs=1), _SPACE, 4, "other seed: 3, not 4"),
        (Budget(trials=4, epochs=1), dataclasses.replace(_SPACE, batch_sizes=(32,)), 3, "other batch sizes"),
    ],
)
def test_trials_of_other_settings_are_not_mixed(
    tiny: Split, searched: Path, budget: Budget, space: Space, seed: int, named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        tune(tiny, searched, space=space, budget=budget, seed=seed)


def test_trials_on_other_digits_are_not_mixed(few: Split, searched: Path) -> None:
    others = Split(few.train.take(np.arange(128, 256)), few.validation)
    with pytest.raises(SettingsError, match="has other digits"):
        tune(others, searched, space=_SPACE, budget=Budget(trials=4, epochs=1))


def test_two_searches_do_not_write_to_one_folder(tiny: Split, tmp_path: Path) -> None:
    with (
        studies.opened(tmp_path, {}, pruner=NopPruner()),
        pytest.raises(SettingsError, match="Somebody searches in"),
    ):
        tune(tiny, tmp_path, space=_SPACE, budget=Budget(trials=1, epochs=1))


@pytest.mark.parametrize("content", ['{"op_code": 4}\n', '{"op_code": 99}\n', "no journal\nat all\n", '["a list"]\n'])
def test_a_damaged_journal_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / studies.JOURNAL).write_text(content)
    with pytest.raises(SettingsError, match="is damaged, or no journal"):
        recipe_of(tmp_path)


def test_a_hopeless_trial_is_ended_early(tiny: Split, tmp_path: Path) -> None:
    budget = Budget(trials=0, epochs=3)
    tune(tiny, tmp_path, space=_SPACE, budget=budget)
    # Five trials that did better than 128 digits ever teach.
    drawn: dict[str, tuple[object, optuna.distributions.BaseDistribution]] = {
        "architecture": ("cnn-xs", optuna.distributions.CategoricalDistribution(_SPACE.architectures)),
        "batch_size": (32, optuna.distributions.CategoricalDistribution(_SPACE.batch_sizes)),
        "learning_rate": (1e-3, optuna.distributions.FloatDistribution(*_SPACE.learning_rate, log=True)),
        "dropout": (0.1, optuna.distributions.FloatDistribution(*_SPACE.dropout)),
        "weight_decay": (1e-3, optuna.distributions.FloatDistribution(*_SPACE.weight_decay, log=True)),
        "label_smoothing": (0.0, optuna.distributions.FloatDistribution(*_SPACE.label_smoothing)),
    }
    study = studies.read(tmp_path)
    for _ in range(5):
        study.add_trial(
            optuna.create_trial(
                value=0.999,
                params={name: value for name, (value, _) in drawn.items()},
                distributions={name: distribution for name, (_, distribution) in drawn.items()},
                intermediate_values={0: 0.999, 1: 0.999, 2: 0.999},
            )
        )
    trials = tune(tiny, tmp_path, space=_SPACE, budget=dataclasses.replace(budget, trials=6))
    assert (trials[-1].state, trials[-1].number, trials[-1].epochs) == ("pruned", 5, 2)
    assert [trial.state for trial in trials[:-1]] == ["complete"] * 5


def test_the_recipe_of_a_trial_is_the_usual_one_but_for_what_was_searched(searched: Path, trials: list[Trial]) -> None:
    best, *_, worst = trials
    recipe = recipe_of(searched)
    assert {name: getattr(recipe, name) for name in _NAMES} == _drawn(best)
    assert dataclasses.replace(Recipe(), **_drawn(best)) == recipe  # type: ignore[arg-type]
    assert recipe_of(searched, worst.number).learning_rate == worst.learning_rate


def test_a_trial_that_is_not_there_is_named(searched: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no finished trial 7") as error:
        recipe_of(searched, 7)
    assert error.value.mend == "There are: 0, 1, 2."
    with pytest.raises(SettingsError, match="There is no search in"):
        recipe_of(tmp_path)


def test_what_mattered_is_told_in_shares_and_drawn(searched: Path, trials: list[Trial], tmp_path: Path) -> None:
    shares = importance(searched)
    assert set(shares) <= set(_NAMES)
    assert sum(shares.values()) == pytest.approx(1)
    files = write_figures(trials, shares, tmp_path)
    assert [file.name for file in files] == ["history.png", "history.svg", "importance.png", "importance.svg"]
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in files[3].read_text(encoding="utf-8")


def test_nothing_is_told_of_what_mattered_before_there_are_two_trials(tmp_path: Path) -> None:
    with studies.opened(tmp_path, {}, pruner=NopPruner()) as study:
        assert ranked(study) == []
    assert importance(tmp_path) == {}
    assert write_figures([], {}, tmp_path) == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"architectures": ("cnn-xxl",)}, "There is no architecture 'cnn-xxl'"),
        ({"architectures": ()}, "nothing to choose from"),
        ({"batch_sizes": (0,)}, "batch size of 0"),
        ({"dropout": (0.5, 0.1)}, "dropout from 0.5 to 0.1"),
        ({"dropout": (0.0, 1.0)}, "dropout from 0 to 1"),
        ({"label_smoothing": (float("nan"), 0.1)}, "label smoothing from nan"),
        ({"learning_rate": (0.0, 0.0)}, "learns nothing"),
        ({"weight_decay": (0.0, 0.1)}, "weight decay from 0 has no order"),
    ],
)
def test_a_space_that_cannot_be_drawn_from_is_refused(given: dict[str, tuple[float, float]], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Space(**given)  # type: ignore[arg-type]


def test_a_choice_whose_bounds_meet_is_fixed() -> None:
    space = Space(learning_rate=(0.002, 0.002), weight_decay=(0.0, 0.0), dropout=(0.25, 0.25))
    recipe = space.draw(optuna.create_study().ask(), Recipe(seed=9))
    assert (recipe.learning_rate, recipe.weight_decay, recipe.dropout, recipe.seed) == (0.002, 0.0, 0.25, 9)
