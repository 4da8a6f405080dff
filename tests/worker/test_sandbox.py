"""What looks at suspicious images: a picture that ends a process ends a sandbox, and is named for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from classifier.images import read_image
from core.crash import ALWAYS
from core.errors import ImageRejected, SandboxError
from core.vocabulary import Reason
from tests.digits import digit_folder, string_picture
from tests.environment import ROOT
from worker import sandbox as sandboxes
from worker.look import Eye
from worker.sandbox import SandboxedEye

EYE = Eye(max_pixels=1_000_000, split=False)


@pytest.fixture
def digits(tmp_path: Path) -> dict[str, bytes]:
    """The bytes of some digits by path."""
    folder = digit_folder(tmp_path / "digits", 4)
    paths = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("*/*.png"))]
    return {path: read_image(folder, path, max_bytes=100_000) for path in paths}


@pytest.fixture
def armed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of crash points of sandboxes that start from now on."""
    points = tmp_path / "crash"
    points.mkdir()
    monkeypatch.setenv("DIGITLINE_CRASH_POINTS", str(points))
    return points


@pytest.fixture
def sandbox() -> Iterator[SandboxedEye]:
    """A sandbox that is closed afterwards."""
    with SandboxedEye(EYE, lambda: None) as made:
        yield made


def test_a_sandbox_starts_without_the_libraries_of_networks() -> None:
    program = (
        "import sys, worker.sandbox, worker.seen;"
        "print(*(name for name in ('keras', 'tensorflow', 'celery', 'sqlalchemy') if name in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""


def test_a_sandbox_sees_what_a_worker_sees(sandbox: SandboxedEye, digits: dict[str, bytes]) -> None:
    for path, data in digits.items():
        (here,), (there,) = EYE.look(data, path), sandbox.look(data, path)
        assert np.array_equal(here, there)


def test_a_picture_that_is_split_keeps_its_pieces_and_their_ways(tmp_path: Path) -> None:
    string_picture(tmp_path / "string.png", [0, 1, 2, 3])
    eye, path, data = Eye(1_000_000, split=True), "string.png", (tmp_path / "string.png").read_bytes()
    with SandboxedEye(eye, lambda: None) as sandbox:
        here, there = eye.look(data, path), sandbox.look(data, path)
    assert len(here) > 1
    assert [[np.stack(way).tolist() for way in piece] for piece in here] == [
        [np.stack(way).tolist() for way in piece] for piece in there
    ]


def test_a_picture_at_fault_is_refused_for_the_same_reason(sandbox: SandboxedEye, digits: dict[str, bytes]) -> None:
    path, data = next(iter(digits.items()))
    for spoilt in (data[: len(data) // 2], b"no picture", b""):
        with pytest.raises(ImageRejected) as here:
            EYE.look(spoilt, path)
        with pytest.raises(ImageRejected) as there:
            sandbox.look(spoilt, path)
        assert (there.value.reason, str(there.value)) == (here.value.reason, str(here.value))
    assert sandbox.look(data, path)


def test_a_picture_that_ends_its_process_is_quarantined_and_its_siblings_are_seen(
    armed: Path, digits: dict[str, bytes], sandbox: SandboxedEye
) -> None:
    poison, *others = digits
    (armed / f"look.{poison.replace('/', '_')}").write_text(ALWAYS)
    with pytest.raises(ImageRejected, match="ended its process by SIGKILL, 2 times of 2") as refused:
        sandbox.look(digits[poison], poison)
    assert refused.value.reason is Reason.QUARANTINED
    for path in others:
        assert len(sandbox.look(digits[path], path)) == 1


def test_a_picture_that_happens_to_be_there_when_its_process_ends_is_seen_all_the_same(
    armed: Path, digits: dict[str, bytes], sandbox: SandboxedEye
) -> None:
    path, data = next(iter(digits.items()))
    point = armed / f"look.{path.replace('/', '_')}"
    point.touch()
    assert len(sandbox.look(data, path)) == 1
    assert not point.exists()


def test_a_picture_that_takes_too_long_is_quarantined_and_signs_of_life_are_given(
    digits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, data = next(iter(digits.items()))
    signs: list[int] = []
    monkeypatch.setattr(sandboxes, "_CHANCES", 1)
    monkeypatch.setattr("core.sandbox._SIGN_EVERY", 0.1)
    with SandboxedEye(EYE, lambda: signs.append(1)) as sandbox:
        assert sandbox.look(data, path)
        monkeypatch.setattr(sandbox, "_patience", 0.5)
        assert sandbox._running is not None
        os.kill(sandbox._running[0].pid, signal.SIGSTOP)
        signs.clear()
        with pytest.raises(ImageRejected, match=r"took more than 0\.5 s") as refused:
            sandbox.look(data, path)
    assert refused.value.reason is Reason.QUARANTINED
    assert signs


def test_no_image_is_blamed_where_the_sandbox_does_not_start(
    digits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    path, data = next(iter(digits.items()))
    with (
        SandboxedEye(EYE, lambda: None) as sandbox,
        pytest.raises(SandboxError, match="does not start: that ended its process with exit code 1"),
    ):
        sandbox.look(data, path)
