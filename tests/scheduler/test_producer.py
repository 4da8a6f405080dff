"""How a job is cut into batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings
from core.vocabulary import Labels, NewJob, Trigger
from scheduler.producer import plan, size_of_batches


@pytest.mark.parametrize(
    ("images", "size"), [(1, 64), (500, 64), (769, 65), (10_000, 834), (12_288, 1_024), (1_000_000, 1_024)]
)
def test_a_job_is_cut_into_twelve_batches_of_neither_few_nor_very_many_images(images: int, size: int) -> None:
    assert size_of_batches(images) == size


def planned(settings: Settings, folder: Path) -> NewJob:
    return plan(settings, folder, name=None, labels=Labels.NONE, queue=None, triggered_by=Trigger.CLI, claim=None)


def test_a_few_photos_are_work_for_several_processes(tmp_path: Path) -> None:
    for number in range(130):
        (tmp_path / f"{number:03}.jpg").write_bytes(b"x")
    new = planned(Settings(home=tmp_path / "home"), tmp_path)
    assert [len(manifest) for manifest in new.manifests] == [64, 64, 2]


def test_a_size_that_is_set_is_the_size(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    new = planned(Settings(home=tmp_path / "home", batch_size=2), tmp_path)
    assert [len(manifest) for manifest in new.manifests] == [2, 2, 1]
