"""What is dropped: digits as pictures so large that a job takes its time, and what becomes of a drop."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2

from core.database import Database
from core.errors import JobNotFound
from core.ledger import jobs
from core.vocabulary import Accounts, Job, JobState
from digitline.samples import FOLDER
from tests.deploy.engine.stack import LINE_GID, LINE_UID, Stack
from tests.oracle import check_job, labels_of
from tests.waiting import wait_until
from training.idx import read_idx

#: Pixels of a picture's side, for MNIST's 28: a worker takes some 8 ms for each, and much can happen meanwhile.
_SIDE = 784
#: Files beside the digits that are no pictures of any, and must be rejected, each time.
_SPOILT = {"3/cut.png": b"\x89PNG\r\n\x1a\n\x00\x00", "7/letter.png": b"Dear sir or madam"}
#: Seconds in which a job of this size ends, however busy the machine.
_PATIENCE = 400.0


@dataclass(frozen=True)
class Digits:
    """A folder to drop again and again, and the labels that a quiet run gave, once there was one."""

    folder: Path
    #: Pictures of digits in it; some files beside them are none.
    count: int
    expected: dict[str, int | str | None]


def make(folder: Path, count: int) -> Digits:
    """Write the pictures into class folders: MNIST's own digits, from DIGITLINE_DATA or the samples."""
    source = Path(os.environ.get("DIGITLINE_DATA", FOLDER))
    images = read_idx(source / "t10k-images-idx3-ubyte.gz")[:count]
    labels = read_idx(source / "t10k-labels-idx1-ubyte.gz")[:count]
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        path = folder / str(label) / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
        assert cv2.imwrite(str(path), picture)
    for name, content in _SPOILT.items():
        (folder / name).write_bytes(content)
    return Digits(folder, count, {})


def drop(stack: Stack, digits: Digits, name: str) -> None:
    """Put a copy into the inbox, by one rename, as the user of the line."""
    staged = stack.line / "staged" / name
    shutil.copytree(digits.folder, staged)
    for path in (staged.parent, staged, *staged.rglob("*")):
        os.chown(path, LINE_UID, LINE_GID)
    staged.rename(stack.line / "inbox" / name)


def queued(database: Database, name: str) -> Job:
    """The job of a drop, once there is one."""
    return wait_until(lambda: _find(database, name), f"{name} is a job", _PATIENCE, 0.1)


def started(database: Database, name: str, digits: Digits) -> Job:
    """The job of a drop, once some of its images are recorded and others are not."""
    images = digits.count // 10

    def under_way() -> Job | None:
        job = _find(database, name)
        return job if job is not None and job.accounts.scored >= images else None

    job = wait_until(under_way, f"{images} images of {name} are recorded", _PATIENCE, 0.1)
    assert job.accounts.open, f"{name} is over before anything could happen to it"
    return job


def is_busy(database: Database, name: str) -> bool:
    """Tell whether most of a drop's images are still open."""
    job = _find(database, name)
    return job is None or job.accounts.open > job.accounts.found // 2


def ended(database: Database, name: str, digits: Digits) -> Job:
    """The job of a drop, once it is over; nothing is lost, doubled or read otherwise than in the quiet run.

    The first job of all is the quiet run.
    """

    def over() -> Job | None:
        job = _find(database, name)
        return job if job is not None and job.state.ended else None

    job = wait_until(over, f"{name} is over", _PATIENCE, 0.2)
    check(database, job, digits)
    return job


def all_jobs(database: Database) -> list[Job]:
    """Every job, the oldest first."""
    return jobs.newest(database, 1000)[::-1]


def standing(database: Database) -> dict[int, tuple[str, JobState, Accounts]]:
    """Where every job stands, by its number; drops may still be filed away meanwhile."""
    return {job.id: (job.name, job.state, job.accounts) for job in all_jobs(database)}


def check(database: Database, job: Job, digits: Digits) -> None:
    """Assert the line's promise: found = scored + rejected + quarantined, nothing lost, nothing twice."""
    accounts = job.accounts
    assert accounts.found == digits.count + len(_SPOILT), accounts
    assert accounts.balanced, accounts
    assert accounts.quarantined == 0, accounts
    if not digits.expected:
        digits.expected.update(labels_of(database, job.id))
        right = sum(path.split("/")[0] == str(label) for path, label in digits.expected.items())
        assert right > 0.98 * digits.count, f"{right} of {digits.count} read right"
        assert all(digits.expected[name] is None for name in _SPOILT)
    check_job(database, job.id, digits.expected)


def _find(database: Database, name: str) -> Job | None:
    try:
        return jobs.find(database, name)
    except JobNotFound:
        return None
