"""Every digit of a picture is prepared, from left to right, and digits that touch are cut apart in several ways."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from classifier.cuts import MAX_CUTS
from classifier.paths import ENTRY, PATH_SIDE, find_paths
from classifier.predict import Predictor
from classifier.preprocess import Image, prepare
from classifier.strings import pieces, ways_to_read
from core.errors import ImageRejected
from core.vocabulary import Reason
from training.dataset import Digits

Scan = Callable[[int], Image]


def row(scan: Scan, *indices: int, gap: int) -> Image:
    """Scans side by side, their ink so many pixels apart; below 0 it overlaps."""
    width = 40
    ink = np.zeros((200, 1200), np.uint8)
    for index in indices:
        page = 230 - np.minimum(scan(index), 230)
        x, _, across, _ = cv2.boundingRect(cv2.compare(page, 100, cv2.CMP_GT))
        part = page[:, x : x + across]
        ink[:, width : width + across] = np.maximum(ink[:, width : width + across], part)
        width += across + gap
    return 230 - ink[:, : width + 40]


def likeliest(picture: Image) -> list[Image]:
    """The digits of a picture, of the way to part each piece that is offered first."""
    return [digit for piece in pieces(picture) for digit in piece[0]]


def test_the_digits_of_a_row_come_from_left_to_right(scan: Scan, digits: Digits, predictor: Predictor) -> None:
    right = []
    for first in range(0, 60, 3):
        prepared = likeliest(row(scan, first, first + 1, first + 2, gap=30))
        labels = predictor(np.stack(prepared)).labels.tolist()
        right.append(labels == digits.labels[first : first + 3].tolist())
    assert np.mean(right) >= 0.85


@pytest.mark.parametrize("index", range(5))
def test_one_digit_alone_is_one(index: int, scan: Scan, digits: Digits) -> None:
    (alone,) = likeliest(scan(index))
    assert np.array_equal(alone, prepare(scan(index)))
    (in_form,) = likeliest(digits.images[index])
    assert np.array_equal(in_form, digits.images[index])


def test_two_digits_that_touch_are_offered_apart(scan: Scan, digits: Digits, predictor: Predictor) -> None:
    offered = []
    for first in range(0, 60, 2):
        ways = [way for piece in pieces(row(scan, first, first + 1, gap=-4)) for way in piece]
        readings = [predictor(np.stack(way)).labels.tolist() for way in ways]
        offered.append(digits.labels[first : first + 2].tolist() in readings)
    assert np.mean(offered) >= 0.75


def test_every_piece_of_ink_is_parted_by_itself(scan: Scan) -> None:
    pair, alone = pieces(row(scan, 0, 1, gap=-4)), pieces(row(scan, 3, gap=0))
    both = np.hstack([row(scan, 0, 1, gap=-4), row(scan, 3, gap=0)])
    assert [len(piece) for piece in pieces(both)] == [len(pair[0]), len(alone[0])]
    assert all(
        (digit.shape, digit.dtype) == ((28, 28), np.uint8) for piece in pieces(both) for way in piece for digit in way
    )


def test_a_picture_is_read_piece_by_piece_where_it_is_split_and_else_turned_away() -> None:
    page = np.full((100, 260), 230, np.uint8)
    for left in (40, 140):
        cv2.circle(page, (left + 30, 50), 26, 30, 6)
    assert [len(piece[0]) for piece in ways_to_read(page, split=True)] == [1, 1]
    with pytest.raises(ImageRejected, match="Read it with --split") as caught:
        ways_to_read(page, split=False)
    assert caught.value.reason is Reason.SEVERAL


def test_a_picture_that_is_not_split_has_one_way_of_one_digit(scan: Scan) -> None:
    (((only,),),) = ways_to_read(scan(0), split=False)
    assert np.array_equal(only, prepare(scan(0)))


def test_rings_may_be_parted_where_they_touch_and_a_ring_costs_two_entries() -> None:
    ink = np.zeros((97, 191), np.uint8)
    for middle in (48, 142):
        cv2.circle(ink, (middle, 48), 44, 255, 8)
    paths = find_paths(ink)
    columns = ink.shape[1] * PATH_SIDE // ink.shape[0]
    places = [path.columns[PATH_SIDE // 2] / columns for path in paths]
    assert any(abs(place - 0.5) < 0.03 and path.cost < ENTRY + 5 for place, path in zip(places, paths, strict=True))
    assert all(path.cost > 2 * ENTRY for place, path in zip(places, paths, strict=True) if abs(place - 0.5) > 0.1)


def test_no_path_parts_paper_from_ink() -> None:
    ink = np.zeros((60, 30), np.uint8)
    cv2.rectangle(ink, (8, 0), (20, 59), 255, cv2.FILLED)
    for path in find_paths(ink):
        columns = np.arange(max(8, round(30 * PATH_SIDE / 60)))
        before = (columns < path.columns[:, np.newaxis]).mean()
        assert 0.2 < before < 0.8


def test_the_digits_of_a_row_too_long_to_be_looked_at_as_a_whole_are_all_found(scan: Scan) -> None:
    # Shrunk to a size that is quick to work on they would be specks: the row was called blank.
    line = np.hstack([row(scan, first, first + 1, gap=-4) for first in range(0, 60, 2)])
    assert line.shape[1] > 30 * line.shape[0]
    assert len(pieces(line)) >= 30


def test_a_long_row_of_bare_paper_is_blank() -> None:
    with pytest.raises(ImageRejected) as caught:
        pieces(np.full((60, 3000), 230, np.uint8))
    assert caught.value.reason is Reason.BLANK


def test_bare_stretches_of_a_long_row_are_passed_over(scan: Scan) -> None:
    page = row(scan, 0, gap=0)
    bare = np.full((page.shape[0], 16 * page.shape[0]), 230, np.uint8)
    (piece,) = pieces(np.hstack([bare, page, bare]))
    assert len(piece[0]) == 1


def test_a_small_picture_shows_one_digit(digits: Digits) -> None:
    aside = np.roll(digits.images[0], (2, -3), axis=(0, 1))
    (((only,),),) = pieces(aside)
    assert np.array_equal(only, prepare(aside))


def test_ink_that_hangs_together_is_offered_in_a_few_ways_for_each_number_of_digits(scan: Scan) -> None:
    (piece,) = pieces(row(scan, 0, 1, gap=-4))
    ways = Counter(len(way) for way in piece)
    assert {1, 2} <= ways.keys()
    assert max(ways.values()) <= MAX_CUTS
    assert len({b"".join(digit.tobytes() for digit in way) for way in piece}) == len(piece)


def test_a_page_without_digits_has_none_to_prepare() -> None:
    with pytest.raises(ImageRejected) as rejected:
        pieces(np.full((100, 300), 230, np.uint8))
    assert rejected.value.reason is Reason.BLANK


def test_a_long_row_of_digits_that_touch_has_few_ways_to_be_read(scan: Scan) -> None:
    # Every pair alone has up to five ways; all of them together would be beyond counting.
    pairs = [row(scan, first, first + 1, gap=-4) for first in range(0, 16, 2)]
    tall = max(pair.shape[0] for pair in pairs)
    line = np.hstack([cv2.copyMakeBorder(pair, 0, tall - pair.shape[0], 0, 0, cv2.BORDER_REPLICATE) for pair in pairs])
    found = pieces(line)
    assert math.prod(len(piece) for piece in found) > 1000
    assert sum(len(way) for piece in found for way in piece) < 16 * 20


def test_a_row_of_more_strokes_than_a_string_may_have_is_turned_away() -> None:
    page = np.full((120, 1000), 230, np.uint8)
    for left in range(8, 990, 14):
        cv2.rectangle(page, (left, 40), (left + 3, 80), 30, cv2.FILLED)
    with pytest.raises(ImageRejected) as caught:
        pieces(page)
    assert caught.value.reason is Reason.SEVERAL


def test_the_outer_digits_of_a_row_that_is_cut_at_its_ink_are_kept(scan: Scan) -> None:
    line = row(scan, 0, 4, gap=12)
    x, y, width, height = cv2.boundingRect(cv2.compare(line, 130, cv2.CMP_LT))
    assert len(pieces(line[y : y + height, x : x + width])) == len(pieces(line))
