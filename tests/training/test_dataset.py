"""Digits are taken as they are, or refused by file."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.errors import DatasetError
from tests.digits import digit_folder
from training.dataset import PARTS, Digits, check, load_dataset, load_folder, load_mnist, mix, prepare_all, split
from training.idx import read_idx

SAMPLES = Path(__file__).parents[2] / "samples"


def idx(array: np.ndarray) -> bytes:
    """An array as an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_a_file_is_read_gzipped_and_plain(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "packed").write_bytes(gzip.compress(idx(array)))
    assert np.array_equal(read_idx(tmp_path / "plain"), array)
    assert np.array_equal(read_idx(tmp_path / "packed"), array)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"P5 28 28 255\n", id="another kind"),
        pytest.param(struct.pack(">HBBI", 0, 0x0D, 1, 0), id="floating point"),
        pytest.param(struct.pack(">HBBII", 0, 8, 3, 2, 3), id="header cut"),
        pytest.param(idx(np.zeros((2, 3), np.uint8))[:-1], id="content cut"),
        pytest.param(idx(np.zeros((2, 3), np.uint8)) + b"x", id="too long"),
        pytest.param(gzip.compress(idx(np.zeros((2, 3), np.uint8)))[:-9], id="gzip cut"),
        pytest.param(struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), id="absurd shape"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "digits").write_bytes(content)
    with pytest.raises(DatasetError, match="digits") as refused:
        read_idx(tmp_path / "digits")
    assert refused.value.mend


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train-images-idx3-ubyte"):
        load_mnist(tmp_path)


def test_the_samples_are_the_test_digits_of_mnist(digits: Digits) -> None:
    check("test-images", digits.images)
    check("test-labels", digits.labels.astype(np.uint8))


def test_a_single_altered_pixel_is_found(digits: Digits) -> None:
    images = digits.images.copy()
    images[1234, 5, 6] ^= 1
    with pytest.raises(DatasetError, match="SHA-256"):
        check("test-images", images)


def test_another_number_of_images_is_found(digits: Digits) -> None:
    with pytest.raises(DatasetError, match="shape"):
        check("test-images", digits.images[:-1])


def test_every_part_of_mnist_has_a_digest_of_its_own() -> None:
    assert len({digest for _, _, digest in PARTS.values()}) == 4


def test_a_split_is_the_same_for_the_same_seed_and_another_for_another(digits: Digits) -> None:
    first, again, other = (split(digits, validation=500, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.train.images, again.train.images)
    assert np.array_equal(first.validation.labels, again.validation.labels)
    assert not np.array_equal(first.validation.images, other.validation.images)


def test_a_split_parts_every_digit_in_the_same_proportion_and_loses_none(digits: Digits) -> None:
    parts = split(digits, validation=500)
    assert (len(parts.train), len(parts.validation)) == (9500, 500)
    whole = np.bincount(digits.labels)
    assert np.array_equal(np.bincount(parts.train.labels) + np.bincount(parts.validation.labels), whole)
    assert np.abs(np.bincount(parts.validation.labels) - whole / 20).max() <= 1


def test_no_digit_of_the_validation_part_is_trained_on(digits: Digits) -> None:
    numbered = Digits(np.arange(10_000, dtype=np.int64), digits.labels)  # type: ignore[arg-type]
    parts = split(numbered, validation=500)
    assert not set(parts.train.images.tolist()) & set(parts.validation.images.tolist())


def test_training_sees_digits_as_scoring_does(digits: Digits) -> None:
    some = digits.take(np.arange(50))
    inverted = Digits(255 - some.images, some.labels)
    assert np.array_equal(prepare_all(inverted).images, some.images)


def test_class_folders_become_prepared_digits_with_their_labels(tmp_path: Path, digits: Digits) -> None:
    for index in range(20):
        folder = tmp_path / str(digits.labels[index])
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"{index:02}.png"), 255 - digits.images[index])
    loaded = load_folder(tmp_path)
    order = sorted(range(20), key=lambda index: (digits.labels[index], index))
    assert np.array_equal(loaded.images, digits.images[order])
    assert np.array_equal(loaded.labels, digits.labels[order])


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "notes.txt").write_text("not a picture")
    with pytest.raises(DatasetError, match=r"4/notes\.txt"):
        load_folder(tmp_path)


def test_a_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="0 to 9"):
        load_folder(tmp_path)


def test_class_folders_are_parted_into_digits_to_learn_from_and_a_sixth_to_report_on(tmp_path: Path) -> None:
    dataset = load_dataset(digit_folder(tmp_path, 240))
    assert (len(dataset.train), len(dataset.test)) == (200, 40)
    seen = {image.tobytes() for image in dataset.train.images}
    assert not any(image.tobytes() in seen for image in dataset.test.images)
    assert set(dataset.sha256) == set(PARTS)


def test_too_few_images_of_a_digit_are_said_to_be_too_few(tmp_path: Path) -> None:
    folder = digit_folder(tmp_path, 240)
    for image in sorted((folder / "4").iterdir())[5:]:
        image.unlink()
    with pytest.raises(DatasetError, match="5 images of the digit 4"):
        load_dataset(folder)


@pytest.mark.parametrize(("weight", "least", "most"), [(0, 0, 0), (1, 20, 20), (2.5, 42, 58), (10, 200, 200)])
def test_digits_of_ones_own_count_as_often_as_their_weight_says(
    digits: Digits, weight: float, least: int, most: int
) -> None:
    mixed = mix(digits.take(np.arange(100)), digits.take(np.arange(100, 120)), weight=weight)
    assert least <= len(mixed) - 100 <= most
    assert np.array_equal(mixed.images[:100], digits.images[:100])
