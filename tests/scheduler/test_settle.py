"""When a drop is complete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scheduler.settle import UPLOAD_PATIENCE, Look, Tracker, being_written, look_at
from tests.scheduler.conftest import Nest


class Clock:
    """A clock that a test turns."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def look(size: int = 10, *, files: int = 1, ready: bool = False) -> Look:
    return Look(files=files, bytes=size, changed=1, ready=ready)


def test_a_drop_is_settled_once_it_looked_the_same_for_long_enough(clock: Clock) -> None:
    tracker = Tracker(2.0, clock)
    assert tracker.rested({"scans": look()}) == {}
    clock.now += 1.9
    assert tracker.rested({"scans": look()}) == {}
    clock.now += 0.2
    assert tracker.rested({"scans": look()}) == {"scans": pytest.approx(0.1)}


def test_a_drop_that_grows_starts_anew(clock: Clock) -> None:
    tracker = Tracker(2.0, clock)
    tracker.rested({"scans": look(10)})
    clock.now += 3
    assert tracker.rested({"scans": look(11)}) == {}
    clock.now += 1
    assert tracker.rested({"scans": look(11)}) == {}
    clock.now += 1
    assert tracker.rested({"scans": look(11)}).keys() == {"scans"}


def test_a_drop_that_was_taken_away_and_came_back_starts_anew(clock: Clock) -> None:
    tracker = Tracker(2.0, clock)
    tracker.rested({"scans": look()})
    clock.now += 3
    assert tracker.rested({}) == {}
    assert tracker.rested({"scans": look()}) == {}


def test_a_folder_without_files_is_never_settled(clock: Clock) -> None:
    tracker = Tracker(0.0, clock)
    assert tracker.rested({"empty": look(0, files=0, ready=True)}) == {}


def test_a_sender_may_say_that_a_drop_is_complete(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    assert not look_at(tmp_path).ready
    (tmp_path / "_READY").touch()
    assert look_at(tmp_path).ready
    assert Tracker(60.0, clock).rested({"scans": look_at(tmp_path)}).keys() == {"scans"}


def test_a_look_sees_growth_rewriting_and_new_files_at_any_depth(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "1.png").write_bytes(b"one")
    looks = [look_at(tmp_path)]
    (deep / "1.png").write_bytes(b"eno")
    os.utime(deep / "1.png", ns=(1, looks[0].changed + 1))
    looks.append(look_at(tmp_path))
    (deep / "2.png").write_bytes(b"two")
    looks.append(look_at(tmp_path))
    assert len(set(looks)) == 3
    assert (looks[2].files, looks[2].bytes) == (2, 6)


def test_a_look_leaves_hidden_files_out_and_bears_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_bytes(b"x")
    assert look_at(tmp_path).files == 0
    assert look_at(tmp_path / "gone") == Look(0, 0, 0)


def test_a_file_that_somebody_holds_open_for_writing_is_not_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.png"
    path.parent.mkdir()
    with path.open("wb") as upload:
        upload.write(b"half")
        upload.flush()
        assert being_written(tmp_path)
    assert not being_written(tmp_path)


def test_a_file_that_somebody_reads_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"whole")
    with path.open("rb"):
        assert not being_written(tmp_path)
        assert not being_written(path)


def test_folders_may_be_nested_deeper_than_python_recurses(tmp_path: Path, nest: Nest) -> None:
    nest(tmp_path / "scans", 1100)
    assert look_at(tmp_path / "scans").files == 1
    assert not being_written(tmp_path / "scans")


def test_a_folder_in_which_an_upload_has_its_temporary_name_waits_for_it(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"whole")
    (tmp_path / "1.png.part").write_bytes(b"half")
    tracker = Tracker(2.0, clock)
    tracker.rested({"scans": look_at(tmp_path)})
    clock.now += 30
    assert tracker.rested({"scans": look_at(tmp_path)}) == {}
    (tmp_path / "1.png.part").rename(tmp_path / "1.png")
    assert tracker.rested({"scans": look_at(tmp_path)}) == {}
    clock.now += 2
    assert tracker.rested({"scans": look_at(tmp_path)}).keys() == {"scans"}


def test_a_temporary_file_that_was_left_behind_does_not_hold_its_folder_for_ever(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"whole")
    (tmp_path / "1.png.part").write_bytes(b"half")
    tracker = Tracker(2.0, clock)
    tracker.rested({"scans": look_at(tmp_path)})
    clock.now += UPLOAD_PATIENCE
    assert tracker.rested({"scans": look_at(tmp_path)}).keys() == {"scans"}


@pytest.mark.parametrize("name", ["1.png.part", ".1.png.Xa3fQ9", "1.png"])
def test_a_file_that_grows_under_any_name_holds_its_folder_back(tmp_path: Path, name: str) -> None:
    (tmp_path / "0.png").write_bytes(b"whole")
    with (tmp_path / name).open("wb") as upload:
        upload.write(b"half")
        upload.flush()
        first = look_at(tmp_path)
        assert being_written(tmp_path)
        upload.write(b"the other half")
    assert look_at(tmp_path) != first
    assert look_at(tmp_path).files == (2 if name == "1.png" else 1)
