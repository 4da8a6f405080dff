"""A schedule submits what is new in its folder, by path and by bytes, and reads the bytes only of what may have changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete

from core import tables
from core.ledger import jobs, models, runs, schedules, steering
from core.ledger.schedules import Plan
from core.sources import to_url
from core.vocabulary import Job
from scheduler import growth as growth_module
from scheduler.growth import stamp
from scheduler.producer import Line
from scheduler.schedules import run_now
from tests.conftest import MakeSettings
from tests.scheduler.conftest import pictures
from tests.scheduler.scored import paths_of, score_truly

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def line(settings: MakeSettings, database_url: str, redis_url: str) -> Iterator[Line]:
    """A line on either database, with a model."""
    line = Line.open(settings(database_url=database_url, broker_url=redis_url, batch_size=2))
    models.register(line.database, name="model", sha256="0" * 64, location="/nowhere", card={})
    yield line
    line.close()


@pytest.fixture
def scans(line: Line, tmp_path: Path) -> Path:
    """A scheduled folder of three files."""
    folder = pictures(tmp_path / "scans", "a.png", "b/1.png", "c.png")
    schedules.add(line.database, Plan("nightly", to_url(folder), "0 2 * * *"), LATER)
    return folder


@pytest.fixture
def trusted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stamp is believed however lately its file changed: a test's files are all new."""
    monkeypatch.setattr(growth_module, "_RECENT", 0.0)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose bytes the scheduler reads."""
    seen: list[str] = []
    sha256 = growth_module._sha256

    def noted(file: Path, max_bytes: int) -> str | None:
        seen.append(file.name)
        return sha256(file, max_bytes)

    monkeypatch.setattr(growth_module, "_sha256", noted)
    return seen


def run(line: Line) -> Job | None:
    return run_now(line, "nightly")[1]


def submitted(line: Line) -> list[str]:
    """The files that a run submits."""
    job = run(line)
    return [] if job is None else paths_of(line, job)


def scored(line: Line, reject: frozenset[str] = frozenset()) -> Job:
    """A first run, whose job is done."""
    job = run(line)
    assert job is not None
    score_truly(line, job, reject)
    return job


def test_the_first_run_submits_everything_and_the_next_one_what_came_since(line: Line, scans: Path) -> None:
    assert submitted(line) == ["a.png", "b/1.png", "c.png"]
    score_truly(line, jobs.get(line.database, 1))
    assert submitted(line) == []
    pictures(scans, "0.png", "b/2.png", "z/1.png")
    assert submitted(line) == ["0.png", "b/2.png", "z/1.png"]


def test_a_file_that_was_changed_in_place_is_new(line: Line, scans: Path) -> None:
    scored(line)
    (scans / "b/1.png").write_bytes(b"PICTURE")
    assert submitted(line) == ["b/1.png"]


@pytest.mark.usefixtures("trusted_at_once")
def test_a_change_is_seen_though_size_and_time_of_writing_are_put_back(line: Line, scans: Path) -> None:
    scored(line)
    before = (scans / "a.png").stat()
    (scans / "a.png").write_bytes(b"PICTURE")
    os.utime(scans / "a.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (scans / "a.png").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert submitted(line) == ["a.png"]


def test_the_same_picture_under_another_name_is_new(line: Line, scans: Path) -> None:
    scored(line)
    (scans / "a.png").rename(scans / "renamed.png")
    assert submitted(line) == ["renamed.png"]


@pytest.mark.usefixtures("trusted_at_once")
def test_no_byte_is_read_of_what_looks_as_it_did(line: Line, scans: Path, read: list[str]) -> None:
    scored(line)
    pictures(scans, "new.png")
    assert submitted(line) == ["new.png"]
    assert read == []


@pytest.mark.usefixtures("trusted_at_once")
def test_what_was_touched_is_read_once_and_known_by_its_new_look(line: Line, scans: Path, read: list[str]) -> None:
    scored(line)
    for name in ("a.png", "c.png"):
        os.utime(scans / name)
    assert [submitted(line), submitted(line)] == [[], []]
    assert read == ["a.png", "c.png"]


@pytest.mark.usefixtures("scans")
def test_what_changed_lately_is_read_once_more_for_its_look_says_nothing(
    line: Line, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(line)
    assert submitted(line) == []
    assert read == ["a.png", "1.png", "c.png"]
    monkeypatch.setattr(growth_module, "_RECENT", 0.0)
    assert [submitted(line), submitted(line)] == [[], []]
    assert len(read) == 6


@pytest.mark.usefixtures("trusted_at_once")
def test_a_rejected_file_is_left_alone_until_it_changes(line: Line, scans: Path) -> None:
    scored(line, frozenset({"a.png", "c.png"}))
    assert submitted(line) == []
    (scans / "c.png").write_bytes(b"a better picture")
    assert submitted(line) == ["c.png"]


def test_what_waits_to_be_scored_is_not_submitted_again(line: Line, scans: Path) -> None:
    assert len(submitted(line)) == 3
    (scans / "a.png").write_bytes(b"PICTURE")
    assert submitted(line) == []
    score_truly(line, jobs.get(line.database, 1))
    assert submitted(line) == []


def test_what_changed_after_it_was_scored_but_before_its_job_ended_is_not_forgotten(line: Line, scans: Path) -> None:
    assert len(submitted(line)) == 3
    assert submitted(line) == []
    score_truly(line, jobs.get(line.database, 1))
    (scans / "a.png").write_bytes(b"PICTURE")
    assert submitted(line) == ["a.png"]


def test_what_was_cancelled_is_submitted_again(line: Line, scans: Path) -> None:
    first = run(line)
    assert first is not None
    assert scans.exists()
    steering.cancel(line.database, first)
    assert submitted(line) == ["a.png", "b/1.png", "c.png"]


def test_the_last_bytes_count_not_those_of_before(line: Line, scans: Path) -> None:
    scored(line)
    for content in (b"PICTURE", b"picture"):
        (scans / "a.png").write_bytes(content)
        assert submitted(line) == ["a.png"]
        score_truly(line, jobs.newest(line.database, 1)[0])
    assert submitted(line) == []


def test_what_is_gone_is_not_missed_and_known_when_it_comes_back(line: Line, scans: Path, tmp_path: Path) -> None:
    scored(line)
    (scans / "a.png").rename(tmp_path / "a.png")
    assert submitted(line) == []
    (tmp_path / "a.png").rename(scans / "a.png")
    assert submitted(line) == []


def test_what_became_a_link_a_pipe_or_too_large_is_left_to_a_worker(
    line: Line, scans: Path, tmp_path: Path, settings: MakeSettings
) -> None:
    scored(line)
    for name in ("a.png", "c.png"):
        (scans / name).rename(tmp_path / name)
    (scans / "a.png").symlink_to(tmp_path / "a.png")  # the same bytes, could they be read
    os.mkfifo(scans / "c.png")
    small = settings(database_url=line.settings.database_url, broker_url=line.settings.broker_url, max_bytes=3)
    strict = Line.open(small)
    assert submitted(strict) == ["a.png", "b/1.png", "c.png"]
    strict.close()


def test_names_of_any_bytes_are_known_again(line: Line, scans: Path) -> None:
    strange = os.fsdecode(b"\xff\n\xe2\x80\xae.png")
    pictures(scans, strange)
    scored(line)
    assert submitted(line) == []
    (scans / strange).write_bytes(b"PICTURE")
    assert submitted(line) == [strange]


def test_what_another_schedule_submitted_does_not_count(line: Line, scans: Path) -> None:
    scored(line)
    schedules.add(line.database, Plan("other", to_url(scans), "0 3 * * *"), LATER)
    _, job = run_now(line, "other")
    assert job is not None
    assert (job.schedule, job.accounts.found) == ("other", 3)


@pytest.mark.usefixtures("trusted_at_once")
def test_the_look_of_every_submitted_file_is_in_the_ledger(line: Line, scans: Path) -> None:
    run(line)
    kept = [
        look
        for batch in runs.submitted(line.database, schedules.find(line.database, "nightly"))
        for look in batch.stamps
    ]
    now = (scans / "a.png").stat().st_ctime + 60
    assert kept == [stamp((scans / name).lstat(), now) for name in ("a.png", "b/1.png", "c.png")]


@pytest.mark.parametrize(("seconds", "known"), [(0.0, False), (9.0, False), (-9.0, False), (11.0, True), (-11.0, True)])
def test_a_stamp_of_a_file_that_changed_just_now_says_nothing(tmp_path: Path, seconds: float, known: bool) -> None:
    (tmp_path / "a").touch()
    status = (tmp_path / "a").stat()
    assert (stamp(status, status.st_ctime + seconds) != 0) is known


def test_a_stamp_tells_files_writes_and_moves_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    looks = []
    for act in (
        lambda: one.write_bytes(b"1"),
        lambda: one.write_bytes(b"22"),
        lambda: one.chmod(0o600),
        lambda: other.write_bytes(b"22"),
        lambda: other.replace(one),
    ):
        act()
        looks.append(stamp(one.stat(), one.stat().st_ctime + 60))
    assert len(set(looks)) == 4
    assert looks[2] == looks[3]


@pytest.mark.usefixtures("trusted_at_once")
def test_a_ledger_without_its_predictions_still_knows_what_looks_as_it_did(line: Line, scans: Path) -> None:
    scored(line)
    with line.database.begin() as connection:
        connection.execute(delete(tables.predictions))  # as a retention script of the user's own does
    assert submitted(line) == []
    (scans / "a.png").touch()
    assert submitted(line) == ["a.png"]
