"""A cascade asks the careful networks about what the fast one is not sure of, and about nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from classifier.artifact import read_card, shipped_model
from classifier.keras_runtime import KerasNetworks
from classifier.network import build
from classifier.predict import CAREFUL_BATCH, Cascade, Predictor, Scorer, Scores
from classifier.preprocess import to_network_input
from classifier.views import UNMOVED, Shift, looks, mean_of_looks
from classifier.weights import describe, load_networks, save_model
from training.dataset import Digits
from training.recipe import CROSS

TEMPERATURE, CAREFUL_TEMPERATURE = 0.6, 0.8


@pytest.fixture(scope="module")
def fast() -> keras.Model:
    """A network that reads digits."""
    return load_networks(shipped_model())[0][0]


@pytest.fixture(scope="module")
def careful() -> list[keras.Model]:
    """Two networks that say something else than the fast one."""
    keras.utils.set_random_seed(3)
    return [build("cnn-xs"), build("cnn-s")]


@pytest.fixture(scope="module")
def make(fast: keras.Model, careful: list[keras.Model]) -> Callable[..., Cascade]:
    """Builds a cascade: `make(escalate_below=0.99)`."""

    def build_cascade(
        escalate_below: float, *, batch_size: int = 64, careful_batch: int = 4, shifts: Sequence[Shift] = UNMOVED
    ) -> Cascade:
        return Cascade(
            KerasNetworks([fast]),
            KerasNetworks(careful),
            temperature=TEMPERATURE,
            careful_temperature=CAREFUL_TEMPERATURE,
            escalate_below=escalate_below,
            batch_size=batch_size,
            shifts=shifts,
            careful_batch=careful_batch,
        )

    return build_cascade


def logits(model: keras.Model, digits: Digits, count: int) -> NDArray[np.float32]:
    """What a network says of the first digits."""
    return np.asarray(model(to_network_input(digits.images[:count]), training=False))


def by_hand(
    models: list[keras.Model], digits: Digits, count: int, below: float, shifts: Sequence[Shift] = UNMOVED
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the first digits, and which of them are escalated, computed without the cascade."""
    fast, *careful = models
    alone = softmax(logits(fast, digits, count) / TEMPERATURE, axis=1)
    # MNIST's digits have paper all around, so that nothing is lost or comes in where a picture is rolled.
    looks = [Digits(np.roll(digits.images[:count], shift, axis=(1, 2)), digits.labels[:count]) for shift in shifts]
    said = [logits(model, look, count) for model in careful for look in looks]
    carefully = softmax(np.mean(said, axis=0) / CAREFUL_TEMPERATURE, axis=1)
    escalated = alone.max(axis=1) < below
    return np.where(escalated[:, np.newaxis], carefully, alone), escalated


def same(one: Scores, other: Scores) -> bool:
    """Whether two scores are the same, to the last bit."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Scores.__slots__)


@pytest.mark.parametrize("below", [0.9, 0.99, 1.0])
@pytest.mark.parametrize("shifts", [UNMOVED, CROSS, ((1, -1),)])
def test_doubtful_images_get_the_calibrated_mean_of_the_careful_networks_over_all_shifts(
    below: float,
    shifts: Sequence[Shift],
    make: Callable[..., Cascade],
    fast: keras.Model,
    careful: list[keras.Model],
    digits: Digits,
) -> None:
    scores = make(below, shifts=shifts)(digits.images[:600])
    probabilities, escalated = by_hand([fast, *careful], digits, 600, below, shifts)
    assert escalated.sum() > 0
    assert np.array_equal(scores.escalated, escalated)
    np.testing.assert_allclose(scores.probabilities, probabilities, atol=5e-4)
    ranked = np.sort(scores.probabilities, axis=1)
    np.testing.assert_array_equal(scores.labels, scores.probabilities.argmax(axis=1))
    np.testing.assert_array_equal(scores.confidences, ranked[:, -1])
    np.testing.assert_allclose(scores.margins, ranked[:, -1] - ranked[:, -2], atol=1e-6)


def test_how_much_an_image_is_like_a_digit_is_the_fast_networks_word_whoever_reads_it(
    make: Callable[..., Cascade], fast: keras.Model, digits: Digits
) -> None:
    alone = Scorer(KerasNetworks([fast]), temperature=TEMPERATURE, batch_size=64)(digits.images[:200])
    asked = make(1.0)(digits.images[:200])
    assert asked.escalated.all()
    np.testing.assert_array_equal(asked.energies, alone.energies)
    assert not np.array_equal(asked.probabilities, alone.probabilities)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 63, 64, 65, 200])
def test_any_number_of_images_is_scored_and_how_many_changes_no_score(
    count: int, make: Callable[..., Cascade], digits: Digits
) -> None:
    cascade = make(1.0)
    scores, whole = cascade(digits.images[:count]), cascade(digits.images[:256])
    assert len(scores) == count
    assert scores.escalated.all()
    np.testing.assert_allclose(scores.probabilities, whole.probabilities[:count], atol=1e-5)


def test_every_network_is_traced_once_whatever_is_escalated(make: Callable[..., Cascade], digits: Digits) -> None:
    for below in (0.0, 0.99, 1.0):
        cascade = make(below)
        assert cascade.traces == 1
        for count in (0, 1, 3, 64, 65, 300):
            cascade(digits.images[:count])
        assert cascade.traces == 1


def test_a_cascade_that_never_escalates_is_its_fast_network(
    make: Callable[..., Cascade], fast: keras.Model, digits: Digits
) -> None:
    alone = Scorer(KerasNetworks([fast]), temperature=TEMPERATURE, batch_size=64)(digits.images[:300])
    assert same(make(0.0)(digits.images[:300]), alone)
    bare = Cascade(
        KerasNetworks([fast]),
        None,
        temperature=TEMPERATURE,
        careful_temperature=1.0,
        escalate_below=1.0,
        batch_size=64,
    )
    assert same(bare(digits.images[:300]), alone)
    assert bare.traces == 1
    assert not alone.escalated.any()


def test_the_images_that_are_sure_keep_the_score_of_the_fast_network(
    make: Callable[..., Cascade], digits: Digits
) -> None:
    alone, cascade = make(0.0)(digits.images[:600]), make(0.95)(digits.images[:600])
    sure = ~cascade.escalated
    assert 0 < sure.sum() < 600
    assert np.array_equal(sure, alone.confidences >= 0.95)
    assert np.array_equal(alone.probabilities[sure], cascade.probabilities[sure])
    assert not np.array_equal(alone.probabilities[~sure], cascade.probabilities[~sure])


@pytest.mark.parametrize("careful_batch", [1, 8, 100])
def test_how_many_are_asked_at_once_changes_nothing_but_rounding(
    careful_batch: int, make: Callable[..., Cascade], digits: Digits
) -> None:
    one, other = make(0.99)(digits.images[:300]), make(0.99, careful_batch=careful_batch)(digits.images[:300])
    assert np.array_equal(one.escalated, other.escalated)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_a_shift_brings_paper_in_and_lets_go_of_what_leaves() -> None:
    page = np.full((2, 28, 28, 1), 1.0, np.float32)
    moved = np.zeros_like(page)
    moved[:, 3:, :-2] = 1.0
    np.testing.assert_array_equal(looks(page, ((0, 0), (3, -2))), np.concatenate([page, moved]))


def test_what_is_said_of_an_image_is_averaged_over_its_own_looks() -> None:
    said = np.arange(60, dtype=np.float32).reshape(6, 10)
    np.testing.assert_array_equal(
        mean_of_looks(said, CROSS[:3]), np.stack([said[[0, 2, 4]].mean(0), said[[1, 3, 5]].mean(0)])
    )
    np.testing.assert_array_equal(mean_of_looks(said, UNMOVED), said)


def test_images_of_another_shape_or_type_are_refused(make: Callable[..., Cascade]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        make(1.0)(np.zeros((2, 28, 28), np.float32))


def test_a_model_folder_scores_as_the_cascade_it_was_made_of(
    fast: keras.Model, careful: list[keras.Model], make: Callable[..., Cascade], digits: Digits, tmp_path: Path
) -> None:
    described = [describe(model, recipe={"seed": 3}, history={}) for model in (fast, *careful)]
    files = [dataclasses.replace(one, file=f"careful-{place}.keras") for place, one in enumerate(described[1:], 1)]
    card = dataclasses.replace(
        read_card(shipped_model()),
        fast=described[0],
        careful=tuple(files),
        temperature=TEMPERATURE,
        careful_temperature=CAREFUL_TEMPERATURE,
        escalate_below=0.98,
        shifts=CROSS,
    )
    written = save_model(tmp_path, fast, careful, card)
    predictor = Predictor(tmp_path, batch_size=64)
    found = predictor(digits.images[:300])
    wanted = make(0.98, careful_batch=CAREFUL_BATCH, shifts=CROSS)(digits.images[:300])
    assert predictor.card == written
    assert predictor.traces == 1
    assert found.escalated.any()
    assert np.array_equal(found.escalated, wanted.escalated)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-6)
