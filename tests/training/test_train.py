"""Training learns, repeats itself, survives a kill, and leaves a whole model folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import read_card
from classifier.predict import Predictor
from core.errors import ArtifactError, RecipeError
from core.vocabulary import Runtime
from training.augment import Variation
from training.batches import Batches
from training.dataset import Dataset, Digits, Split
from training.evaluate import evaluate
from training.fit import Run, fit
from training.lessons import Extra
from training.recipe import ModelRecipe, Recipe
from training.train import train

SHORT = Recipe(architecture="cnn-xs", epochs=3, batch_size=32, ema_momentum=0.9, validation=300)


class Notes:
    """Progress, written down."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, str]] = []

    def __call__(self, done: int, total: int, message: str) -> None:
        self.taken.append((done, total, message))


class Killed(Exception):
    """Stands for a kill between two epochs."""


def killed_after(epoch: int) -> Run:
    def end(ended: int, values: Mapping[str, float]) -> None:
        assert values["seconds"] > 0
        if ended == epoch:
            raise Killed

    return Run(on_epoch=end)


@pytest.fixture
def dataset(digits: Digits) -> Dataset:
    return Dataset(digits.take(np.arange(2300)), digits.take(np.arange(2300, 3300)), {"train-images": "0" * 64})


def test_training_on_few_digits_learns_and_leaves_a_model_that_scores_as_its_card_says(
    dataset: Dataset, tmp_path: Path
) -> None:
    notes = Notes()
    card = train(dataset, tmp_path / "my-model", recipe=ModelRecipe(SHORT), run=Run(progress=notes))

    assert card == read_card(tmp_path / "my-model")
    assert card.name == "my-model"
    assert card.test["images"] == 1000
    assert card.validation["images"] == 300
    assert len(card.fast.history["loss"]) == len(card.fast.history["seconds"]) == 3
    assert not card.careful
    assert {path.name for path in (tmp_path / "my-model").iterdir()} == {"card.json", *(one.file for one in card.files)}
    assert set(card.fast.exports) == set(card.agreement) == {Runtime.LITERT, Runtime.LITERT_INT8}

    predictor = Predictor(tmp_path / "my-model", batch_size=128)
    evaluation = evaluate(predictor, dataset.test.images, dataset.test.labels)
    assert evaluation.accuracy > 0.8
    assert evaluation.accuracy == pytest.approx(card.test["accuracy"])
    assert evaluation.calibration_error == pytest.approx(card.test["calibration_error"], abs=1e-3)

    done = [step for step, _, _ in notes.taken]
    assert done == sorted(done)
    assert notes.taken[-1][0] == notes.taken[-1][1]
    assert "epoch 3/3" in notes.taken[-1][2]


def test_a_cascade_learns_from_its_careful_networks_and_passes_on_no_more_than_it_may(
    dataset: Dataset, tmp_path: Path
) -> None:
    fast = dataclasses.replace(SHORT, distillation=0.5, repeat_after=2)
    careful = tuple(dataclasses.replace(SHORT, architecture=name, seed=4) for name in ("cnn-s", "cnn-xs"))
    recipe = ModelRecipe(fast, careful=careful, escalate=0.1, shifts=((0, 0), (1, -1)))
    card = train(dataset, tmp_path / "cascade", recipe=recipe)

    assert [network.file for network in card.networks] == ["fast.keras", "careful-1.keras", "careful-2.keras"]
    assert [network.architecture for network in card.careful] == ["cnn-s", "cnn-xs"]
    assert [network.recipe["seed"] for network in card.networks] == [3, 4, 4]
    assert card.shifts == recipe.shifts
    assert 0 < card.escalate_below < 1
    assert 0 < card.validation["escalated_share"] <= 0.1

    scores = Predictor(tmp_path / "cascade", batch_size=128)(dataset.test.images)
    assert scores.escalated.mean() == pytest.approx(card.test["escalated_share"])
    assert (scores.labels == dataset.test.labels).mean() == pytest.approx(card.test["accuracy"])


def test_each_network_learns_from_as_much_drawn_as_it_asks_for_and_the_fast_one_from_what_is_no_digit(
    dataset: Dataset, tmp_path: Path
) -> None:
    fast = dataclasses.replace(SHORT, drawn=10, outliers=40)
    recipe = ModelRecipe(
        fast, careful=(dataclasses.replace(SHORT, drawn=20, seed=4),), escalate=0.1, keep=0.9, sure=0.8
    )
    card = train(dataset, tmp_path / "doubting", recipe=recipe)
    assert [(network.recipe["drawn"], network.recipe["outliers"]) for network in card.networks] == [(10, 40), (20, 0)]
    assert card.energy_limit is not None
    energies = Predictor(tmp_path / "doubting", batch_size=128)(dataset.test.images).energies
    assert card.energy_doubt is not None
    assert (energies <= card.energy_limit).mean() == pytest.approx(0.9, abs=0.05)
    assert (energies <= card.energy_doubt).mean() == pytest.approx(0.8, abs=0.05)

    plain = train(dataset, tmp_path / "sure", recipe=ModelRecipe(SHORT))
    assert (plain.energy_limit, plain.energy_doubt) == (None, None)


def test_the_same_seed_trains_the_same_network(few: Split) -> None:
    recipe = dataclasses.replace(SHORT, epochs=1)
    first, again = (fit(few, recipe)[0].get_weights() for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(few: Split, tmp_path: Path) -> None:
    whole, history = fit(few, SHORT)
    kept = tmp_path / "fast.npz"
    with pytest.raises(Killed):
        fit(few, SHORT, run=dataclasses.replace(killed_after(1), checkpoint=kept))
    resumed, resumed_history = fit(few, SHORT, run=Run(checkpoint=kept))

    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert len(resumed_history["loss"]) == 3
    assert resumed_history["loss"] == pytest.approx(history["loss"], abs=1e-3)

    again, _ = fit(few, SHORT, run=dataclasses.replace(killed_after(0), checkpoint=kept))
    for one, other in zip(resumed.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_of_another_recipe_or_a_damaged_one_is_refused(few: Split, tmp_path: Path) -> None:
    kept = tmp_path / "fast.npz"
    once = dataclasses.replace(SHORT, epochs=1)
    fit(few, once, run=Run(checkpoint=kept))
    with pytest.raises(ArtifactError, match="another recipe"):
        fit(few, dataclasses.replace(once, seed=4), run=Run(checkpoint=kept))
    with pytest.raises(ArtifactError, match="other digits"):
        fit(Split(few.validation, few.train), once, run=Run(checkpoint=kept))
    kept.write_bytes(kept.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match="damaged"):
        fit(few, once, run=Run(checkpoint=kept))


def test_training_ends_early_where_the_validation_digits_are_read_no_better(few: Split) -> None:
    hopeless = dataclasses.replace(SHORT, epochs=8, patience=1, learning_rate=1e-12, weight_decay=0.0)
    _, history = fit(few, hopeless)
    assert 2 <= len(history["loss"]) < 8


def test_training_in_half_precision_keeps_whole_weights(few: Split) -> None:
    model, _ = fit(few, dataclasses.replace(SHORT, epochs=1, precision="mixed_bfloat16"))
    assert {weight.dtype.name for weight in model.get_weights()} == {"float32"}


def test_tensorboard_gets_a_log_on_request(few: Split, tmp_path: Path) -> None:
    fit(few, dataclasses.replace(SHORT, epochs=1), run=Run(tensorboard=tmp_path))
    assert {path.parent.name for path in tmp_path.rglob("events.out.*")} == {"train", "validation"}


def test_batches_come_in_a_new_order_every_epoch_and_depend_on_nothing_but_their_place(few: Split) -> None:
    batches, others = Batches(few.train, SHORT), Batches(few.train, SHORT)
    images, targets = batches.batch(0, 2)
    assert len(batches) == 600 // 32
    assert images.shape == (32, 28, 28, 1)
    assert targets.shape == (32, 10)
    assert np.array_equal(images, others.batch(0, 2)[0])
    assert not np.array_equal(targets, batches.batch(1, 2)[1])


def test_the_stream_of_batches_can_be_taken_up_at_any_epoch(few: Split) -> None:
    batches = Batches(few.train, SHORT)
    images, targets = next(iter(batches.stream(2)))
    expected = batches.batch(2, 0)
    np.testing.assert_array_equal(images, expected[0])
    np.testing.assert_array_equal(targets, expected[1])
    assert len(list(batches.stream(1))) == 2 * len(batches)


def test_variations_that_repeat_come_as_the_same_batches_in_another_order(few: Split) -> None:
    batches = Batches(few.train, dataclasses.replace(SHORT, repeat_after=1))
    first, later = ([batches.batch(epoch, place)[0].tobytes() for place in range(len(batches))] for epoch in (0, 1))
    assert first != later
    assert sorted(first) == sorted(later)


def test_fewer_digits_than_a_batch_make_one_batch(few: Split) -> None:
    assert len(Batches(few.train.take(np.arange(5)), SHORT)) == 1


def test_digits_of_ones_own_are_learned_from(dataset: Dataset, digits: Digits, tmp_path: Path) -> None:
    sevens = digits.images[digits.labels == 7][:40]
    own = Digits(sevens, np.full(len(sevens), 1, np.int64))  # an odd user, to whom every seven is a one
    still = Variation(rotation=0, shear=0, scale=0, shift=0, bent=0)
    recipe = ModelRecipe(dataclasses.replace(SHORT, variation=still))
    train(dataset, tmp_path / "odd", recipe=recipe, extra=Extra(own, own_weight=60))
    scores = Predictor(tmp_path / "odd", batch_size=128)(sevens)
    assert (scores.labels == 1).mean() > 0.9


def test_networks_that_were_kept_from_different_digits_do_not_make_a_model(dataset: Dataset, tmp_path: Path) -> None:
    recipe = ModelRecipe(SHORT, careful=(dataclasses.replace(SHORT, split_seed=4),))
    with pytest.raises(RecipeError, match="different digits aside"):
        train(dataset, tmp_path / "torn", recipe=recipe)


def test_a_recipe_without_a_network_is_refused(few: Split) -> None:
    with pytest.raises(ArtifactError, match="vit-g"):
        fit(few, Recipe(architecture="vit-g"))


def test_a_folder_that_holds_a_model_is_not_overwritten(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ArtifactError, match="holds a model already"):
        train(dataset, tmp_path)
