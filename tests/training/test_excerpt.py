"""A part of the digits is drawn by its seed, from MNIST or from class folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.digits import digit_folder
from training.dataset import load_dataset, prepare_all
from training.excerpt import excerpt, shortened
from training.recipe import Recipe


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 sample digits in class folders."""
    return digit_folder(tmp_path_factory.mktemp("excerpt") / "digits", 200)


def test_every_fifth_digit_is_measured_on_and_those_for_the_final_report_stay_out(folders: Path) -> None:
    parts = excerpt(folders, samples=1000, seed=3)
    assert (len(parts.train), len(parts.validation)) == (134, 33)
    reported = {image.tobytes() for image in prepare_all(load_dataset(folders).test).images}
    assert reported.isdisjoint(image.tobytes() for part in (parts.train, parts.validation) for image in part.images)
    assert np.unique(parts.validation.labels).tolist() == list(range(10))


def test_the_same_seed_draws_the_same_digits(folders: Path) -> None:
    first, again, other = (excerpt(folders, samples=100, seed=seed) for seed in (3, 3, 4))
    assert len(first.train) == 100
    assert np.array_equal(first.train.images, again.train.images)
    assert not np.array_equal(first.train.images, other.train.images)


def test_a_short_training_averages_over_a_tenth_of_its_steps() -> None:
    assert shortened(Recipe(epochs=4, batch_size=100), 1000).ema_momentum == pytest.approx(0.75)
    assert shortened(Recipe(epochs=1, batch_size=100), 50).ema_momentum == 0.0
    assert shortened(Recipe(epochs=100, batch_size=100, ema_momentum=0.9), 60_000).ema_momentum == 0.9
