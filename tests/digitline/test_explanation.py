"""An explanation says in words why an image is taken for what it is."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import RiskPoint, read_card, write_card
from core.vocabulary import Verdict
from digitline.explanation import Explanation, explain
from digitline.local import load_predictor
from digitline.strip import draw
from tests.digits import loose_digits, string_picture

pytestmark = pytest.mark.usefixtures("home")


def explained(path: Path, model: Path, folder: Path, *, split: bool = False, **changes: object) -> Explanation:
    """An explanation by a model whose card says something else; drawn as well, for every verdict must be."""
    changed = shutil.copytree(model, folder)
    write_card(changed, dataclasses.replace(read_card(changed), **changes))  # type: ignore[arg-type]
    explanation = explain(path, model=changed, split=split)
    assert len(draw(explanation).subfigs) == (3 if explanation.digits else 2)
    return explanation


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """A picture of one digit."""
    return loose_digits(tmp_path / "scans", 1)[0]


def test_what_the_model_is_sure_of_is_named_with_the_runner_up(digit: Path, model_folder: Path, tmp_path: Path) -> None:
    risk = (RiskPoint(above=0.5, coverage=1.0, error_bound=0.001),)
    sure = explained(digit, model_folder, tmp_path / "sure", temperature=0.0001, risk=risk)
    (only,) = sure.digits
    first, second = np.argsort(only.probabilities)[::-1][:2]
    assert sure.verdict is Verdict.DIGIT
    assert sure.words.startswith(f"It is {'an' if first == 8 else 'a'} {first} (1.0000); ")
    assert "comes next" in sure.words
    assert first != second


def test_what_the_model_is_torn_between_is_named(digit: Path, model_folder: Path, tmp_path: Path) -> None:
    risk = (RiskPoint(above=0.9, coverage=0.5, error_bound=0.001),)
    torn = explained(digit, model_folder, tmp_path / "torn", temperature=1.0, risk=risk)
    first, second = sorted(range(10), key=lambda label: -torn.digits[0].probabilities[label])[:2]
    assert torn.verdict is Verdict.UNCERTAIN
    assert f"It is torn between {first} and {second} (0." in torn.words
    assert "only a confidence above 0.9000 promises that at most 0.50% are wrong" in torn.words


def test_a_model_that_promises_the_target_nowhere_says_so(digit: Path, model_folder: Path, tmp_path: Path) -> None:
    assert "no confidence promises" in explained(digit, model_folder, tmp_path / "hopeless", risk=()).words


def test_what_is_like_no_digit_is_said_to_be_by_its_energy(digit: Path, model_folder: Path, tmp_path: Path) -> None:
    strange = explained(digit, model_folder, tmp_path / "strange", energy_limit=-1000.0)
    assert strange.verdict is Verdict.NOT_A_DIGIT
    assert strange.words.startswith("It is not like any digit that the model learned from: energy ")
    assert f"{strange.digits[0].energy:.2f}, above -1000.00" in strange.words


def test_what_is_little_like_a_digit_is_said_to_be_by_its_energy(
    digit: Path, model_folder: Path, tmp_path: Path
) -> None:
    odd = explained(digit, model_folder, tmp_path / "odd", energy_doubt=-1000.0)
    assert odd.verdict is Verdict.UNCERTAIN
    assert "is less like a digit than those that the model is sure of: energy " in odd.words
    assert "above -1000.00" in odd.words


def test_of_a_string_the_doubtful_digits_are_named(model_folder: Path, tmp_path: Path) -> None:
    string_picture(tmp_path / "string.png", [0, 1, 2])
    string = explained(tmp_path / "string.png", model_folder, tmp_path / "doubtful", split=True, risk=())
    assert string.reading is not None
    assert len(string.digits) == len(string.reading.digits) > 1
    for place in range(1, len(string.digits) + 1):
        assert f"Digit {place} is torn between" in string.words


def test_what_is_drawn_last_is_what_the_network_saw(digit: Path, model_folder: Path) -> None:
    explanation = explain(digit, model=model_folder)
    (only,) = explanation.digits
    scores = load_predictor(model_folder)(only.prepared[np.newaxis])
    assert only.probabilities == tuple(scores.probabilities[0].tolist())
    shown = draw(explanation).subfigs[2].axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, only.prepared)
