"""A slip of paper is cut out of what it lies on and laid straight; what only looks like one stays whole."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from classifier.predict import Predictor
from classifier.preprocess import Image, Sheet, explain, prepare
from classifier.slip import cut_slip, find_slip
from core.errors import ImageRejected
from core.vocabulary import Reason
from tests.classifier.lit import half_in_shadow, shaded
from tests.classifier.shares import share_read
from training.dataset import Digits

Scan = Callable[[int], Image]

WOOD, GREY, WHITE = (40, 60, 90), (70, 70, 70), (235, 235, 235)
YELLOW, PINK = (90, 225, 240), (190, 150, 245)


def coloured(page: Image, paper: tuple[int, int, int]) -> Image:
    """A scan on paper of a colour, BGR."""
    return (page[..., np.newaxis] / np.float32(230) * np.array(paper)).clip(0, 255).astype(np.uint8)


def laid(
    page: Image,
    desk: tuple[int, int, int],
    *,
    turn: float = 0.0,
    at: tuple[int, int] = (200, 170),
    shape: tuple[int, int] = (360, 420),
) -> Image:
    """A page on a desk with a grain; `at` is where its middle lies, x and y."""
    grain = 1 + 0.08 * np.random.default_rng(2).standard_normal(shape)[..., np.newaxis]
    picture = (np.array(desk) * grain).clip(0, 255).astype(np.uint8)
    matrix = cv2.getRotationMatrix2D((100, 100), turn, 1)
    matrix[:, 2] += np.array(at) - 100
    over = cv2.warpAffine(page, matrix, shape[::-1])
    mask = cv2.warpAffine(np.full(page.shape[:2], 255, np.uint8), matrix, shape[::-1], flags=cv2.INTER_NEAREST)
    picture[mask > 0] = over[mask > 0]
    return picture


@pytest.mark.parametrize(
    ("paper", "desk", "turn", "at"),
    [
        pytest.param(YELLOW, WOOD, 0, (200, 170), id="a sticky note on wood"),
        pytest.param(WHITE, GREY, 9, (200, 170), id="a card askew on a grey table"),
        pytest.param(PINK, WHITE, -7, (200, 170), id="a pink note on a white desk"),
        pytest.param(WHITE, WOOD, -8, (120, 90), id="a card that the picture cuts off at two sides"),
        pytest.param(WHITE, WOOD, 5, (230, 258), id="a card that the picture cuts off below"),
    ],
)
def test_a_digit_on_a_slip_that_lies_on_something_is_read(
    paper: tuple[int, int, int],
    desk: tuple[int, int, int],
    turn: float,
    at: tuple[int, int],
    scan: Scan,
    digits: Digits,
    predictor: Predictor,
) -> None:
    pictures = (laid(coloured(scan(index), paper), desk, turn=turn, at=at) for index in range(60))
    assert share_read(pictures, digits.labels, predictor) >= 0.93


def checked(shape: tuple[int, int]) -> Image:
    """A cloth in red and white checks, BGR."""
    rows, columns = np.indices(shape) // 25
    red = ((rows % 2 + columns % 2) / 2)[..., np.newaxis]
    return (np.array([90, 80, 190]) + red * np.array([125, 140, 50])).astype(np.uint8)


def test_a_note_on_a_checked_cloth_is_read(scan: Scan, digits: Digits, predictor: Predictor) -> None:
    def on_cloth(index: int) -> Image:
        picture = checked((360, 420))
        picture[60:260, 90:290] = coloured(scan(index), (230, 205, 140))
        return picture

    assert share_read(map(on_cloth, range(60)), digits.labels, predictor) >= 0.93


def test_a_card_that_fingers_hold_is_read(scan: Scan, digits: Digits, predictor: Predictor) -> None:
    def held(index: int) -> Image:
        picture = laid(coloured(scan(index), WHITE), GREY, at=(210, 180))
        cv2.ellipse(picture, (60, 190), (75, 26), 5, 0, 360, (120, 145, 205), -1)
        return picture

    assert share_read(map(held, range(60)), digits.labels, predictor) >= 0.93


@pytest.mark.parametrize("thickness", [5, 25])
def test_a_digit_in_a_coloured_frame_is_read(thickness: int, scan: Scan, digits: Digits, predictor: Predictor) -> None:
    def framed(index: int) -> Image:
        canvas = cv2.cvtColor(scan(index), cv2.COLOR_GRAY2BGR)
        return np.asarray(
            cv2.copyMakeBorder(canvas, *(thickness,) * 4, cv2.BORDER_CONSTANT, value=(200, 120, 40)), np.uint8
        )

    assert share_read(map(framed, range(60)), digits.labels, predictor) >= 0.93


def test_a_slip_comes_out_upright_and_nothing_of_the_desk_with_it(scan: Scan) -> None:
    picture = laid(coloured(scan(0), WHITE), WOOD, turn=12)
    steps = dict(explain(picture).steps)
    upright = steps["slip of paper cut out of what it lies on"]
    assert all(abs(side - 200) < 20 for side in upright.shape)
    shadows = cv2.compare(upright, 60, cv2.CMP_GT)  # ink is bright by then
    assert not any(edge.any() for edge in (shadows[0], shadows[-1], shadows[:, 0], shadows[:, -1]))


def test_the_corners_of_a_slip_are_those_in_the_picture(scan: Scan) -> None:
    slip = find_slip(laid(coloured(scan(0), YELLOW), WOOD))
    assert slip is not None
    corners = sorted(slip.corners.tolist(), key=lambda corner: (corner[0] > 200, corner[1]))
    assert np.allclose(corners, [[100, 70], [100, 270], [300, 70], [300, 270]], atol=8)
    assert np.allclose(slip.paper, YELLOW, atol=6)


def in_a_box(page: Image) -> Image:
    """A page with a thick printed box around the digit."""
    return np.asarray(cv2.rectangle(page, (25, 5), (185, 175), 30, 9), np.uint8)


def under_a_spot(page: Image) -> Image:
    """A page that a torch lights in the middle."""
    rows, columns = np.ogrid[-1:1:200j, -1:1:200j]
    return shaded(page, np.where(rows**2 + columns**2 < 0.5, 1.0, 0.3))


@pytest.mark.parametrize(
    "alter", [pytest.param(alter, id=alter.__name__) for alter in (np.asarray, half_in_shadow, in_a_box, under_a_spot)]
)
def test_what_is_no_slip_is_not_cut_out(alter: Callable[[Image], Image], scan: Scan) -> None:
    assert [index for index in range(40) if find_slip(alter(scan(index))) is not None] == []


def test_a_fat_digit_is_no_slip(scan: Scan) -> None:
    brush = np.ones((25, 25), np.uint8)
    assert [index for index in range(100) if find_slip(cv2.erode(scan(index), brush)) is not None] == []


def test_a_slip_that_nothing_is_written_on_shows_no_digit() -> None:
    picture = laid(np.full((200, 200, 3), 235, np.uint8), WOOD)
    assert find_slip(picture) is None


def test_a_number_on_a_slip_is_several_digits(scan: Scan) -> None:
    number = coloured(np.hstack([scan(0), scan(1)]), WHITE)
    picture = cv2.copyMakeBorder(number, 40, 60, 50, 30, cv2.BORDER_CONSTANT, value=WOOD)
    with pytest.raises(ImageRejected) as rejected:
        prepare(picture)
    assert rejected.value.reason is Reason.SEVERAL


def test_the_slip_is_cut_once_ink_was_looked_for(scan: Scan) -> None:
    with pytest.raises(ValueError, match="turn comes first"):
        cut_slip(Sheet(scan(0), taken=scan(0)))
