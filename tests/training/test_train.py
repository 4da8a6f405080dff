"""Training learns, repeats itself, and leaves a whole model folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import read_card, shipped_model
from classifier.predict import Predictor
from core.errors import ArtifactError
from training.dataset import Dataset, Digits, Split
from training.evaluate import evaluate
from training.fit import VariedDigits, fit
from training.recipe import Recipe
from training.train import train, train_on

SHORT = Recipe(architecture="cnn-xs", epochs=3, batch_size=32, ema_momentum=0.9, validation=300)


class Notes:
    """Progress, written down."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, str]] = []

    def __call__(self, done: int, total: int, message: str) -> None:
        self.taken.append((done, total, message))


def test_training_on_few_digits_learns_and_leaves_a_model_that_scores_as_its_card_says(
    digits: Digits, tmp_path: Path
) -> None:
    dataset = Dataset(digits.take(np.arange(2300)), digits.take(np.arange(2300, 3300)), {"train-images": "0" * 64})
    notes = Notes()
    card = train_on(dataset, tmp_path / "my-model", recipe=SHORT, progress=notes)

    assert card == read_card(tmp_path / "my-model")
    assert card.name == "my-model"
    assert card.test["images"] == 1000
    assert card.validation["images"] == 300
    assert len(card.history["loss"]) == len(card.history["seconds"]) == 3

    predictor = Predictor(tmp_path / "my-model", batch_size=128)
    evaluation = evaluate(predictor, dataset.test.images, dataset.test.labels)
    assert evaluation.accuracy > 0.8
    assert evaluation.accuracy == pytest.approx(card.test["accuracy"])
    assert evaluation.calibration_error == pytest.approx(card.test["calibration_error"], abs=1e-3)

    done = [step for step, _, _ in notes.taken]
    assert done == sorted(done)
    assert notes.taken[-1][0] == notes.taken[-1][1]
    assert "epoch 3/3" in notes.taken[-1][2]


def test_the_same_seed_trains_the_same_network(few: Split) -> None:
    recipe = dataclasses.replace(SHORT, epochs=1)
    first, again = (fit(few, recipe)[0].get_weights() for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_batches_come_in_a_new_order_every_epoch_and_leave_no_digit_out(few: Split) -> None:
    batches = VariedDigits(few.train, SHORT)
    first = [batches[index] for index in range(len(batches))]
    assert len(batches) == 600 // 32
    assert first[0][0].shape == (32, 28, 28, 1)
    assert first[0][1].shape == (32, 10)
    assert np.array_equal(first[2][0], batches[2][0])
    batches.on_epoch_end()
    assert not np.array_equal(first[0][1], batches[0][1])


def test_fewer_digits_than_a_batch_make_one_batch(few: Split) -> None:
    assert len(VariedDigits(few.train.take(np.arange(5)), SHORT)) == 1


def test_the_default_recipe_is_that_of_the_shipped_model() -> None:
    assert dataclasses.asdict(Recipe()) == read_card(shipped_model()).recipe


def test_a_recipe_without_a_network_is_refused(few: Split) -> None:
    with pytest.raises(ArtifactError, match="vit-g"):
        fit(few, Recipe(architecture="vit-g"))


def test_a_folder_that_holds_a_model_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ArtifactError, match="holds a model already"):
        train(None, tmp_path)
