"""The page of an evaluation shows what was measured, and needs nothing but itself."""

from __future__ import annotations

import base64
import dataclasses
import re

import cv2
import numpy as np
import pytest

from classifier.artifact import Card, read_card, shipped_model
from classifier.predict import Predictor
from training.dataset import Digits
from training.measure import Measurement, measure
from training.page import SHOWN_MISTAKES, evaluation_page, picture


@pytest.fixture(scope="module")
def wrong_digits(digits: Digits) -> Digits:
    """A hundred digits, eighty of them under a wrong label."""
    some = digits.take(np.arange(100))
    return Digits(some.images, np.where(np.arange(100) < 80, (some.labels + 1) % 10, some.labels))


@pytest.fixture(scope="module")
def measured(wrong_digits: Digits) -> Measurement:
    """What the shipped model makes of them."""
    paths = [f"scan {place} & more.png" for place in range(100)]
    return measure(Predictor(shipped_model(), batch_size=50), wrong_digits, target_error=0.01, paths=paths)


@pytest.fixture(scope="module")
def card() -> Card:
    """The card of the shipped model."""
    return read_card(shipped_model())


def test_a_page_loads_nothing_and_escapes_what_it_is_given(
    measured: Measurement, wrong_digits: Digits, card: Card
) -> None:
    hostile = dataclasses.replace(card, name="<script>")
    page = evaluation_page(measured, wrong_digits.images, hostile, facts={"Data": "a & b"})
    assert "<script" not in page
    assert "a &amp; b" in page
    assert "&amp; more.png" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_every_picture_says_in_words_what_it_shows(measured: Measurement, wrong_digits: Digits, card: Card) -> None:
    page = evaluation_page(measured, wrong_digits.images, card, corruptions={"fog": 0.5})
    pictures = re.findall(r"<img [^>]*>", page)
    # Four plots, the training of one network, the corruptions, and the mistakes.
    assert len(pictures) == 4 + len(card.networks) + 1 + SHOWN_MISTAKES
    assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in pictures)


def test_the_figures_stand_in_words_too(measured: Measurement, wrong_digits: Digits, card: Card) -> None:
    page = evaluation_page(measured, wrong_digits.images, card, corruptions={"motion_blur": 0.5, "fog": 0.25})
    low, high = measured.evaluation.accuracy_interval
    for text in (f"{measured.evaluation.accuracy:.2%}", f"{low:.2%} to {high:.2%}", f"{measured.coverage:.2%} of the"):
        assert text in page
    assert "motion blur" in page
    assert "37.50%" in page
    worst = measured.mistakes[0]
    assert f"{worst.true} read as <b>{worst.predicted}</b><br>{worst.confidence:.1%} sure" in page
    assert f"Shown are {SHOWN_MISTAKES} of {len(measured.mistakes)}" in page


def test_what_is_not_known_is_left_out(measured: Measurement, wrong_digits: Digits, card: Card) -> None:
    plain = dataclasses.replace(card, fast=dataclasses.replace(card.fast, history={}), careful=(), escalate_below=0.0)
    flawless = dataclasses.replace(measured, mistakes=(), fast=None, risk=None)
    page = evaluation_page(flawless, wrong_digits.images, plain)
    assert "<h2>Training</h2>" not in page
    assert "<h2>Spoilt digits</h2>" not in page
    assert "Fast network alone" not in page
    assert "There is none." in page


def test_a_picture_shows_ink_dark_on_white(wrong_digits: Digits) -> None:
    content = base64.b64decode(picture(wrong_digits.images[0]).partition(",")[2])
    shown = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(shown, 255 - wrong_digits.images[0])
