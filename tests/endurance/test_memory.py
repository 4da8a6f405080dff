"""A process scores batch after batch, of every odd size; its memory stays what it was, and its network traced once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import shipped_model
from classifier.predict import Predictor
from core.database import Database
from core.ledger import batches, jobs, results
from core.sources import to_url
from core.vocabulary import Manifest, NewJob, QueueName, Trigger
from digitline.setup import register_model
from tests.conftest import MakeSettings
from tests.digits import digit_folder, files_below
from tests.oracle import Expected, check_job
from worker.journey import Journey

BATCHES = 2000
#: Batches after which a process has all the memory that it needs.
WARM = 500
#: Images of the batches, one after the other.
SIZES = (1, 3, 5, 7, 9, 11, 13, 15)
DIGITS = 40
#: Bytes that a batch may leave behind on average; a child is recycled at 2 GB.
LEFT_BEHIND = 2048.0


@pytest.mark.timeout(3600)
def test_two_thousand_batches_with_odd_tails_leave_no_memory_behind_and_one_trace(
    sqlite: Database, settings: MakeSettings, tmp_path: Path
) -> None:
    chosen = settings(batch_size=max(SIZES) + 1)
    register_model(sqlite, chosen)
    predictor = Predictor(shipped_model(), batch_size=chosen.images_at_once)
    journey = Journey(sqlite, chosen, lambda _: predictor, "test")
    digits = digit_folder(tmp_path / "digits", DIGITS)
    quiet = scored(journey, digits, [sorted(files_below(digits))])
    expected = hard_links(tmp_path / "many", digits, quiet)
    paths = iter(expected)
    manifests = [[next(paths) for _ in range(SIZES[number % len(SIZES)])] for number in range(BATCHES)]
    memory: list[int] = []
    assert scored(journey, tmp_path / "many", manifests, memory) == expected
    numbers = np.arange(len(memory))
    slope, _ = np.polyfit(numbers[WARM:], memory[WARM:], 1)
    assert slope < LEFT_BEHIND
    assert predictor.traces == 1


def hard_links(folder: Path, digits: Path, quiet: Expected) -> Expected:
    """Link every digit so often that each batch has files of its own; returns the labels."""
    known = sorted(quiet.items())
    folder.mkdir()
    expected = {}
    for number in range(sum(SIZES) * BATCHES // len(SIZES)):
        path, label = known[number % len(known)]
        (folder / f"{number}.png").hardlink_to(digits / path)
        expected[f"{number}.png"] = label
    return expected


def scored(
    journey: Journey, folder: Path, manifests: list[list[str]], memory: list[int] | None = None
) -> dict[str, int | str | None]:
    """Score a folder batch by batch; returns the labels, and notes the memory after each batch, in bytes."""
    new = NewJob(
        folder.name,
        to_url(folder),
        [Manifest(paths, None) for paths in manifests],
        QueueName.BULK,
        Trigger.SCRIPT,
    )
    job = jobs.create(journey.database, new)
    for batch in batches.of_job(journey.database, job.id):
        journey.score(batch.id, lambda _done, _of: None)
        if memory is not None:
            memory.append(resident())
    labels = {result.path: result.label for result in results.of_job(journey.database, job.id)}
    check_job(journey.database, job.id, labels)
    assert len(labels) == sum(map(len, manifests))
    return labels


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
