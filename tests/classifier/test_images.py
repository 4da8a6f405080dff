"""Reading a file never leaves its folder, never waits, and names what is wrong."""

from __future__ import annotations

import errno
import os
import re
import resource
import socket
from pathlib import Path
from typing import Never

import pytest

from classifier.images import ImageFolder, read_image
from core.errors import ImageRejected
from core.vocabulary import Reason

MAX_BYTES = 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with `a.png` and `3/b.png` in it, and a secret beside it."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "c.png").write_bytes(b"secret")
    root = tmp_path / "scans"
    (root / "3").mkdir(parents=True)
    (root / "a.png").write_bytes(b"one")
    (root / "3" / "b.png").write_bytes(b"two")
    return root


def reason_of(root: Path, relative: str) -> Reason:
    """Why a path is rejected."""
    with pytest.raises(ImageRejected) as rejected:
        read_image(root, relative, max_bytes=MAX_BYTES)
    assert str(rejected.value).endswith(".")
    return rejected.value.reason


def test_files_are_read_whole_from_every_depth(root: Path) -> None:
    with ImageFolder(root, max_bytes=MAX_BYTES) as folder:
        assert folder.read("a.png") == b"one"
        assert folder.read("3/b.png") == b"two"
        assert folder.read("a.png") == b"one"


def test_a_root_that_is_itself_a_link_is_read(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert read_image(tmp_path / "link", "3/b.png", max_bytes=MAX_BYTES) == b"two"


def test_a_linked_folder_is_refused_even_inside_the_root(root: Path) -> None:
    (root / "three").symlink_to("3")
    (root / "3" / "up").symlink_to(root)
    assert reason_of(root, "three/b.png") is Reason.OUTSIDE
    assert reason_of(root, "3/up/a.png") is Reason.OUTSIDE


def test_a_root_that_is_moved_meanwhile_is_still_read(root: Path, tmp_path: Path) -> None:
    with ImageFolder(root, max_bytes=MAX_BYTES) as folder:
        root.rename(tmp_path / "filed")
        assert folder.read("a.png") == b"one"
        assert folder.read("3/b.png") == b"two"


def test_another_folder_that_takes_the_place_of_the_root_is_not_read(root: Path, tmp_path: Path) -> None:
    with ImageFolder(root, max_bytes=MAX_BYTES) as folder:
        root.rename(tmp_path / "filed")
        (tmp_path / "outside").rename(root)
        assert folder.read("a.png") == b"one"
        with pytest.raises(ImageRejected) as rejected:
            folder.read("c.png")
    assert rejected.value.reason is Reason.MISSING


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("path", ["a.png", "3/b.png"])
def test_what_may_pass_is_raised_and_rejects_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, path: str
) -> None:
    def troubled(*_: object, **__: object) -> Never:
        raise OSError(number, os.strerror(number))

    with ImageFolder(root, max_bytes=MAX_BYTES) as folder:
        with monkeypatch.context() as patched:
            patched.setattr("os.open", troubled)
            with pytest.raises(OSError, match=re.escape(os.strerror(number))):
                folder.read(path)
            with pytest.raises(OSError, match=re.escape(os.strerror(number))):
                read_image(root, path, max_bytes=MAX_BYTES)
        assert folder.read(path)


def test_a_process_without_free_descriptors_rejects_no_image(root: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ImageFolder(root, max_bytes=MAX_BYTES) as folder:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                folder.read("3/b.png")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert folder.read("3/b.png") == b"two"


@pytest.mark.parametrize("path", ["../secret", "3/../../secret", "/etc/passwd", "..", ".", "", "3/", "3/..", "/a.png"])
def test_a_path_that_leads_out_of_the_folder_is_refused(root: Path, path: str) -> None:
    assert reason_of(root, path) is Reason.OUTSIDE


def test_an_absolute_path_is_refused_even_to_a_file_in_the_folder(root: Path) -> None:
    assert reason_of(root, str(root / "a.png")) is Reason.OUTSIDE


def test_a_link_as_the_last_part_is_refused_wherever_it_leads(root: Path, tmp_path: Path) -> None:
    (root / "out.png").symlink_to(tmp_path / "secret")
    (root / "in.png").symlink_to(root / "a.png")
    assert reason_of(root, "out.png") is Reason.OUTSIDE
    assert reason_of(root, "in.png") is Reason.OUTSIDE


def test_a_linked_folder_that_leaves_the_root_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "linked").symlink_to(tmp_path / "outside")
    assert reason_of(root, "linked/c.png") is Reason.OUTSIDE


def test_a_sibling_whose_name_begins_like_the_root_is_outside(root: Path) -> None:
    sibling = root.with_name("scans-of-others")
    sibling.mkdir()
    (sibling / "c.png").write_bytes(b"secret")
    (root / "linked").symlink_to(sibling)
    assert reason_of(root, "linked/c.png") is Reason.OUTSIDE


def test_a_folder_swapped_for_a_link_after_its_first_use_leads_nowhere_else(root: Path, tmp_path: Path) -> None:
    (root / "3" / "c.png").write_bytes(b"mine")
    with ImageFolder(root, max_bytes=MAX_BYTES) as folder:
        assert folder.read("3/b.png") == b"two"
        (root / "3").rename(root / "moved")
        (root / "3").symlink_to(tmp_path / "outside")
        assert folder.read("3/c.png") == b"mine"


def test_a_pipe_is_rejected_without_waiting_for_a_writer(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    assert reason_of(root, "pipe.png") is Reason.UNREADABLE


def test_a_device_is_rejected() -> None:
    assert reason_of(Path("/dev"), "zero") is Reason.UNREADABLE


def test_a_socket_is_rejected(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s.png"))
        assert reason_of(root, "s.png") is Reason.UNREADABLE


def test_a_folder_named_like_an_image_is_rejected(root: Path) -> None:
    (root / "folder.png").mkdir()
    assert reason_of(root, "folder.png") is Reason.UNREADABLE


def test_a_file_that_nobody_may_read_is_rejected_even_for_root(root: Path) -> None:
    (root / "a.png").chmod(0o000)
    assert reason_of(root, "a.png") is Reason.UNREADABLE


@pytest.mark.parametrize("path", ["b.png", "4/b.png", "a.png/b.png", "x" * 300, "nul\0.png", "lone \ud800.png"])
def test_what_is_not_there_is_missing(root: Path, path: str) -> None:
    assert reason_of(root, path) is Reason.MISSING


def test_every_image_of_a_folder_that_vanished_is_missing(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "gone", "a.png") is Reason.MISSING


def test_an_empty_file_is_rejected_as_empty(root: Path) -> None:
    (root / "a.png").write_bytes(b"")
    assert reason_of(root, "a.png") is Reason.EMPTY


def test_a_file_of_too_many_bytes_is_rejected_before_it_is_read(root: Path) -> None:
    with (root / "a.png").open("wb") as file:
        file.truncate(1 << 40)
    assert reason_of(root, "a.png") is Reason.TOO_LARGE


def test_a_file_of_just_as_many_bytes_as_allowed_is_read(root: Path) -> None:
    (root / "a.png").write_bytes(b"x" * MAX_BYTES)
    assert len(read_image(root, "a.png", max_bytes=MAX_BYTES)) == MAX_BYTES


@pytest.mark.parametrize(
    "name", [b"caf\xe9.png", b"two\nlines.png", "\u202egnp.3".encode(), b"x" * 255, b"A.JPG", b"-"]
)
def test_every_name_that_a_file_can_have_is_read(root: Path, name: bytes) -> None:
    with open(os.path.join(os.fsencode(root), name), "wb") as file:
        file.write(b"here")
    assert read_image(root, os.fsdecode(name), max_bytes=MAX_BYTES) == b"here"


def test_more_folders_than_are_held_open_leave_no_descriptor_behind(root: Path) -> None:
    for number in range(100):
        (root / f"f{number}").mkdir()
        (root / f"f{number}" / "a.png").write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd"))
    with ImageFolder(root, max_bytes=MAX_BYTES) as folder:
        for number in range(100):
            folder.read(f"f{number}/a.png")
        assert len(os.listdir("/proc/self/fd")) <= before + 33
    assert len(os.listdir("/proc/self/fd")) == before


def test_rejections_leave_no_descriptor_behind(root: Path) -> None:
    (root / "empty.png").write_bytes(b"")
    before = len(os.listdir("/proc/self/fd"))
    for path in ("empty.png", "b.png", "4/5/b.png", "a.png/b.png", "3"):
        reason_of(root, path)
    assert len(os.listdir("/proc/self/fd")) == before
