"""Generators make what they say: the same picture for the same index, of a shape that files have, with ink on it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.pictures import camera, ink, rows, scans
from benchmarks.pictures.bench import seen
from benchmarks.pictures.catalogue import GENERATORS, Example, Kind, place_of
from benchmarks.pictures.skeletons import DIGITS, LETTERS, skeleton
from benchmarks.pictures.strokes import strokes_of, thinned
from classifier.images import decode
from training.dataset import Digits

QUICK = sorted(set(GENERATORS) - {"large", "phone_photo_12mp"})
EVERY = pytest.mark.parametrize("name", QUICK)
PLACE = ink.Place((200, 200), (100.0, 100.0), 150.0)


def _same(first: Example, second: Example) -> bool:
    if isinstance(first.image, bytes) or isinstance(second.image, bytes):
        return first == second
    return first.truth == second.truth and np.array_equal(first.image, second.image)


@EVERY
def test_the_picture_of_an_index_is_the_same_whichever_others_are_made(name: str, digits: Digits) -> None:
    generator = GENERATORS[name]
    several = [generator.example(digits, index) for index in range(4)]
    assert _same(several[3], generator.example(digits, 3))
    assert not _same(several[2], several[3])


@EVERY
def test_a_picture_is_an_array_or_a_file_of_a_size_that_people_send(name: str, digits: Digits) -> None:
    image = GENERATORS[name].example(digits, 0).image
    if isinstance(image, bytes):
        image = decode(image, max_pixels=10_000_000)
    assert image.dtype == np.uint8
    assert image.ndim == 2 or image.shape[2] == 3
    assert 8 <= min(image.shape[:2]) <= max(image.shape[:2]) <= 1200


@EVERY
def test_something_is_drawn_and_what_is_drawn_on_is_left_alone(name: str, digits: Digits) -> None:
    few = digits.take(np.arange(50))
    before = few.images.copy()
    picture = seen(GENERATORS[name].example(few, 1).image)
    assert np.array_equal(few.images, before)
    assert picture.std() > (0.5 if name == "empty_paper" else 2)


@pytest.mark.parametrize("name", ["large", "phone_photo_12mp"])
def test_large_pictures_are_few_and_large(name: str, digits: Digits) -> None:
    generator = GENERATORS[name]
    file = generator.example(digits, 0).image
    assert isinstance(file, bytes)
    assert generator.one_in > 1
    assert 800 <= min(seen(file).shape[:2]) <= 3024


def test_every_generator_says_in_one_sentence_what_its_pictures_are_like() -> None:
    assert all(one.sentence.endswith(".") and len(one.sentence) < 110 for one in GENERATORS.values())
    assert len({one.sentence for one in GENERATORS.values()}) == len(GENERATORS)


def test_pictures_show_the_digit_of_their_index_and_every_digit_has_its_turn(digits: Digits) -> None:
    assert GENERATORS["blue_ink"].example(digits, 11).truth == str(digits.labels[place_of(digits, 11)])
    assert len({place_of(digits, index) for index in range(len(digits))}) == len(digits)


def test_several_digits_come_with_their_string_and_pictures_without_a_digit_with_none(digits: Digits) -> None:
    for generator in GENERATORS.values():
        truths = {generator.example(digits, index).truth for index in range(6 if generator.one_in == 1 else 1)}
        lengths = {Kind.NEGATIVE: {0}, Kind.SEVERAL: {2, 3, 4, 5}}.get(generator.kind, {1})
        assert {len(truth) for truth in truths} <= lengths
        assert all(truth.isdigit() for truth in truths) or generator.kind is Kind.NEGATIVE


def test_enlarged_ink_is_the_digit_again_once_it_is_small(digits: Digits) -> None:
    for digit in digits.images[:60]:
        box = ink.ink_box(digit)
        big = ink.enlarged(digit, ink.Place((280, 280), (140.0, 140.0), 10 * max(box[2:])))
        small = cv2.resize(big, (28, 28), interpolation=cv2.INTER_AREA)
        centre = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
        back = np.array([[1, 0, 13.5 - centre[0]], [0, 1, 13.5 - centre[1]]])
        moved = cv2.warpAffine(digit.astype(np.float32) / 255, back, (28, 28))
        assert np.corrcoef(small.ravel(), moved.ravel())[0, 1] > 0.93


def test_enlarged_ink_has_sharp_edges(digits: Digits) -> None:
    big = ink.enlarged(digits.images[0], ink.Place((600, 600), (300.0, 300.0), 500.0))
    assert ((big > 0.05) & (big < 0.95)).mean() < 0.02


def test_strokes_drawn_with_a_fine_pen_lie_within_the_ink(digits: Digits) -> None:
    for digit in digits.images[:60]:
        lines = np.concatenate(strokes_of(digit))
        columns, rows_ = np.clip(np.rint(lines), 0, 27).astype(int).T
        assert (cv2.dilate(digit, np.ones((3, 3), np.uint8))[rows_, columns] > 60).mean() > 0.97


def test_thinning_leaves_a_line_of_one_pixel_and_keeps_a_ring_closed() -> None:
    ring = np.zeros((60, 60), np.uint8)
    cv2.circle(ring, (30, 30), 18, 1, 7)
    line = thinned(ring)
    assert cv2.connectedComponents(1 - line, connectivity=4)[0] == 3
    assert line.sum() < 2 * np.pi * 19


@pytest.mark.parametrize("form", [*LETTERS, *DIGITS])
def test_every_skeleton_can_be_drawn(form: str) -> None:
    way = LETTERS[form] if form in LETTERS else DIGITS[form][1]
    drawn = ink.drawn(skeleton(way), PLACE, 8.0, rng=np.random.default_rng(3))
    rows_, columns = np.nonzero(drawn > 0.5)
    assert max(np.ptp(rows_), np.ptp(columns)) == pytest.approx(158, abs=8)


def test_letters_that_look_like_digits_are_left_out() -> None:
    assert not set(LETTERS) & set("OoIlSsZzBgqb")


def test_digits_in_a_row_are_apart_and_touching_ones_are_one_piece_fewer(digits: Digits) -> None:
    ones = [image for image, label in zip(digits.images[:400], digits.labels[:400], strict=True) if label == 1][:5]
    apart = rows.separated(ones, np.random.default_rng(3))
    joined = rows.touching(ones, np.random.default_rng(3))
    assert [_pieces(picture) for picture in (apart, joined)] == [5, 4]


def _pieces(picture: ink.Picture) -> int:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return cv2.connectedComponents((grey < 150).astype(np.uint8))[0] - 1


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_picture_taken_sideways_is_upright_once_it_is_decoded(turns: int) -> None:
    upright = np.full((40, 64, 3), 255, np.uint8)
    upright[5:15, 5:30] = 0
    assert np.abs(decode(camera.sideways_jpeg(upright, turns), max_pixels=10_000).astype(int) - upright).max() < 40


def test_white_ink_on_nothing_is_white_where_it_covers() -> None:
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 12:16] = 255
    file = np.frombuffer(scans.transparent_white(digit, np.random.default_rng(3)), np.uint8)
    picture = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)
    assert picture.shape[2] == 4
    assert picture[..., :3].min() == 255
    assert {0, 255} <= set(np.unique(picture[..., 3]).tolist())
