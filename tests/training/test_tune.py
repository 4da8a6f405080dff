"""A search draws the same recipes again and goes on where it was killed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from training.dataset import Split
from training.tune import TRIALS, draw, read_trials, tune_on


def test_the_recipe_of_a_trial_depends_on_seed_and_number_alone() -> None:
    assert draw(5, epochs=2, seed=3) == draw(5, epochs=2, seed=3)
    assert draw(5, epochs=2, seed=3) != draw(6, epochs=2, seed=3)
    assert draw(5, epochs=2, seed=3) != draw(5, epochs=2, seed=4)


def test_a_killed_search_goes_on_where_it_stood_and_passes_over_trials_of_other_settings(
    few: Split, tmp_path: Path
) -> None:
    tiny = Split(few.train.take(np.arange(128)), few.validation)
    path = tmp_path / TRIALS
    (finished,) = tune_on(tiny, tmp_path, trials=1, epochs=1)
    foreign = dataclasses.replace(finished, validation_accuracy=1.0, settings={**finished.settings, "seed": 4})
    before = json.dumps(foreign.as_dict()) + "\n" + json.dumps(finished.as_dict()) + "\n"
    path.write_text(before + '{"number": 1, "archit')

    notes: list[tuple[int, int, str]] = []
    trials = tune_on(tiny, tmp_path, trials=2, epochs=1, progress=lambda *note: notes.append(note))

    assert path.read_text().startswith(before)
    assert [trial.number for trial in read_trials(path)] == [0, 0, 1]
    assert finished in trials
    assert foreign not in trials
    assert trials[0].validation_accuracy >= trials[1].validation_accuracy
    assert [done for done, _, _ in notes] == [1, 2]


def test_a_search_that_never_ran_has_no_trials(tmp_path: Path) -> None:
    assert read_trials(tmp_path / TRIALS) == []
