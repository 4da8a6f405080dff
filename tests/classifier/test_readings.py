"""A picture's digits become one reading: of several, the product of what each is worth, and the most doubtful's verdict."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from classifier.artifact import Card, RiskPoint, read_card, shipped_model
from classifier.predict import Scores
from classifier.readings import read
from core.vocabulary import Digit, Verdict

TARGET = 0.01


@pytest.fixture(scope="module")
def card() -> Card:
    """A card by which a digit is sure above 0.75, uncertain above an energy of -0.5, and none above 0."""
    risk = (RiskPoint(above=0.75, coverage=0.9, error_bound=TARGET),)
    return dataclasses.replace(read_card(shipped_model()), risk=risk, energy_limit=0.0, energy_doubt=-0.5)


def scores(
    *digits: tuple[int, float], energies: tuple[float, ...] | None = None, escalated: tuple[int, ...] = ()
) -> Scores:
    """What a model says of digits: each its label and confidence, and the runner-up, the next digit, half of the rest."""
    probabilities = np.zeros((len(digits), 10), np.float32)
    for row, (label, confidence) in zip(probabilities, digits, strict=True):
        row[:] = (1 - confidence) / 2 / 8
        row[(label + 1) % 10] = (1 - confidence) / 2
        row[label] = confidence
    ordered = np.sort(probabilities)
    return Scores(
        labels=np.array([label for label, _ in digits], np.int64),
        confidences=ordered[:, -1],
        margins=ordered[:, -1] - ordered[:, -2],
        probabilities=probabilities,
        energies=np.array(energies or [-1.0] * len(digits), np.float32),
        escalated=np.isin(np.arange(len(digits)), escalated),
    )


def test_a_picture_of_one_digit_is_read_as_it_was_scored(card: Card) -> None:
    sure, unsure = read(scores((7, 1.0), (4, 0.5), escalated=(1,)), [[[1]], [[1]]], card, TARGET)
    assert (sure.label, sure.confidence, sure.margin, sure.verdict) == (7, 1.0, 1.0, Verdict.DIGIT)
    assert (unsure.label, unsure.margin, unsure.verdict, unsure.escalated) == (4, 0.25, Verdict.UNCERTAIN, True)
    assert sure.digits == unsure.digits == ()


def test_a_label_is_sure_only_above_the_confidence_that_the_target_asks_for(card: Card) -> None:
    readings = read(scores((1, 0.75), (2, 0.5), (3, 0.875)), [[[1]]] * 3, card, TARGET)
    assert [one.verdict for one in readings] == [Verdict.UNCERTAIN, Verdict.UNCERTAIN, Verdict.DIGIT]


def test_what_is_unlike_all_digits_is_none_however_sure_the_label(card: Card) -> None:
    (strange,) = read(scores((1, 1.0), energies=(0.5,)), [[[1]]], card, TARGET)
    assert (strange.label, strange.verdict) == (1, Verdict.NOT_A_DIGIT)
    ignorant = dataclasses.replace(card, energy_limit=None, energy_doubt=None)
    (known,) = read(scores((1, 1.0), energies=(0.5,)), [[[1]]], ignorant, TARGET)
    assert known.verdict is Verdict.DIGIT


def test_what_is_little_like_a_digit_is_uncertain_however_sure_the_label(card: Card) -> None:
    readings = read(scores((1, 1.0), (1, 1.0), (1, 1.0), energies=(-0.5, -0.25, 0.25)), [[[1]]] * 3, card, TARGET)
    assert [one.verdict for one in readings] == [Verdict.DIGIT, Verdict.UNCERTAIN, Verdict.NOT_A_DIGIT]


def test_the_confidence_of_a_string_is_the_product_and_its_margin_the_distance_to_the_next_string(card: Card) -> None:
    said = scores((1, 0.9), (9, 0.6), (4, 0.8))
    (string,) = read(said, [[[3]]], card, TARGET)
    every = sorted(math.prod(chosen) for chosen in itertools.product(*said.probabilities.tolist()))
    assert string.label == "194"
    assert string.confidence == pytest.approx(every[-1], rel=1e-6)
    assert string.margin == pytest.approx(every[-1] - every[-2], rel=1e-5)
    assert string.digits == tuple(
        Digit(label, confidence) for label, confidence in zip((1, 9, 4), said.confidences.tolist(), strict=True)
    )


@pytest.mark.parametrize(
    ("confidences", "energies", "verdict"),
    [
        ((0.9, 0.9), (-1.0, -1.0), Verdict.DIGIT),
        ((0.9, 0.6), (-1.0, -1.0), Verdict.UNCERTAIN),
        ((0.9, 0.6), (1.0, -1.0), Verdict.NOT_A_DIGIT),
    ],
)
def test_a_string_is_as_doubtful_as_its_most_doubtful_digit(
    card: Card, confidences: tuple[float, float], energies: tuple[float, float], verdict: Verdict
) -> None:
    first, second = confidences
    (string,) = read(scores((1, first), (2, second), energies=energies), [[[2]]], card, TARGET)
    assert string.verdict is verdict


def test_of_the_ways_to_read_a_picture_the_one_of_least_mean_energy_is_taken(card: Card) -> None:
    said = scores((4, 0.99), (1, 0.6), (2, 0.6), (1, 0.7), (7, 0.7), energies=(-2.0, -1.0, -4.0, -4.0, -4.0))
    (string,) = read(said, [[[1, 2, 2]]], card, TARGET)
    assert (string.label, string.places) == ("17", (3, 4))


def test_more_digits_are_read_only_where_their_energy_is_a_good_deal_lower(card: Card) -> None:
    near = scores((4, 0.9), (1, 0.9), (2, 0.9), energies=(-2.0, -2.9, -2.9))
    assert read(near, [[[1, 2]]], card, TARGET)[0].label == 4
    clear = scores((4, 0.9), (1, 0.9), (2, 0.9), energies=(-2.0, -3.1, -3.1))
    assert read(clear, [[[1, 2]]], card, TARGET)[0].label == "12"


def test_a_model_that_does_not_know_what_is_no_digit_chooses_by_confidence(card: Card) -> None:
    ignorant = dataclasses.replace(card, energy_limit=None)
    said = scores((4, 0.8), (1, 0.9), (1, 0.95), (7, 0.99), (2, 0.6))
    string, digit = read(said, [[[1, 2]], [[1, 1]]], ignorant, TARGET)
    assert (string.label, string.places) == ("11", (1, 2))
    assert (digit.label, digit.places) == (7, (3,))
    sure = scores((4, 0.9995), (1, 1.0), (1, 1.0))
    assert read(sure, [[[1, 2]]], ignorant, TARGET)[0].label == 4


def test_every_piece_of_ink_is_read_by_itself_and_all_are_one_string(card: Card) -> None:
    said = scores((8, 0.9), (3, 0.9), (5, 0.8), (6, 0.9), energies=(-1.0, -4.0, -4.0, -3.0))
    (string,) = read(said, [[[1, 2], [1]]], card, TARGET)
    assert (string.label, string.places) == ("356", (1, 2, 3))
    assert string.confidence == pytest.approx(0.9 * 0.8 * 0.9, rel=1e-6)


def test_where_nothing_was_scored_nothing_is_read(card: Card) -> None:
    assert read(scores(), [], card, TARGET) == []
