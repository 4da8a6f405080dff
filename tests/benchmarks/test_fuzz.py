"""Whatever bytes come in, what comes out is an image or a refusal that says why."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Never

import pytest

from benchmarks.fuzz import __main__ as driver
from benchmarks.fuzz import trial
from benchmarks.fuzz.mutations import mended, mutated
from benchmarks.fuzz.seeds import chunk, seeds
from benchmarks.fuzz.tally import Tally
from benchmarks.fuzz.trial import Outcome, attempt

SEEDS = seeds()


@pytest.mark.parametrize("name", SEEDS)
def test_every_file_that_fuzzing_starts_from_becomes_an_image(name: str) -> None:
    assert attempt(SEEDS[name]) is Outcome.PREPARED


def test_ten_thousand_spoilt_files_become_images_or_are_refused() -> None:
    rng, files = random.Random(3), list(SEEDS.values())
    outcomes = Counter(attempt(mutated(rng.choice(files), files, rng)) for _ in range(10_000))
    assert outcomes[Outcome.REFUSED] > 1000
    assert outcomes[Outcome.PREPARED] > 1000


def test_every_file_cut_anywhere_becomes_an_image_or_is_refused() -> None:
    for data in SEEDS.values():
        for end in range(0, len(data), max(1, len(data) // 100)):
            attempt(data[:end])


def test_equal_seeds_spoil_files_equally() -> None:
    files = list(SEEDS.values())
    first, again, other = ([mutated(files[0], files, rng) for _ in range(20)] for rng in map(random.Random, (3, 3, 4)))
    assert first == again
    assert first != other


def test_mended_checksums_let_a_spoilt_png_past_the_first_check() -> None:
    whole = SEEDS["interlaced.png"]
    spoilt = whole.replace(chunk(b"IEND", b""), b"\0\0\0\0IEND\0\0\0\0")
    assert attempt(spoilt) is Outcome.REFUSED
    assert mended(spoilt) == whole


def test_an_error_that_is_no_refusal_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Never:
        raise KeyError("a bug")

    monkeypatch.setattr(trial, "decode", broken)
    with pytest.raises(KeyError, match="a bug"):
        attempt(SEEDS["grey.png"])


def test_counts_outlive_who_counted(tmp_path: Path) -> None:
    counting = Tally.start(tmp_path)
    counting.begin()
    assert counting.end(Outcome.PREPARED, 2_000_000)
    counting.begin()
    assert not counting.end(Outcome.REFUSED, 1_000_000)
    counting.begin()
    read = Tally.open(tmp_path)
    assert (read.executions, read.of(Outcome.PREPARED), read.of(Outcome.REFUSED)) == (3, 1, 1)
    assert read.slowest == pytest.approx(0.002)


Explore = Callable[[Path, tuple[str, ...]], driver.Ended]


def explorer(*codes: int) -> Explore:
    """What stands for the process of atheris: each time it tries 100 inputs, and leaves a bug where its code is not 0."""
    left = list(codes)

    def explore(folder: Path, _: tuple[str, ...]) -> driver.Ended:
        code = left.pop(0)
        tally = Tally.open(folder)
        for _number in range(100):
            tally.begin()
        if code:
            (folder / "bugs" / f"crash-{len(left)}").write_bytes(b"bad")
        return driver.Ended(code, 50 + len(left))

    return explore


def test_fuzzing_goes_on_behind_a_bug_and_counts_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "explore", explorer(77, 71, 0))
    report = driver.fuzz(tmp_path, runs=300, seconds=0, seed=3, memory=512)
    assert [bug.name for bug in report.bugs] == ["crash-2", "crash-1"]
    assert report.tally.executions == 300
    assert report.coverage == 52
    assert "bugs         2" in str(report)
    assert {path.name for path in (tmp_path / "corpus").iterdir()} == set(SEEDS)


def test_a_bug_that_an_earlier_run_kept_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bugs").mkdir()
    (tmp_path / "bugs" / "crash-0").write_bytes(b"bad")
    os.utime(tmp_path / "bugs" / "crash-0", (0, 0))
    monkeypatch.setattr(driver, "explore", explorer(77))
    report = driver.fuzz(tmp_path, runs=100, seconds=0, seed=3, memory=512)
    assert [bug.name for bug in report.bugs] == ["crash-0"]


def test_a_process_that_ends_well_is_followed_by_another_until_all_runs_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "explore", explorer(0, 0, 0))
    assert driver.fuzz(tmp_path, runs=300, seconds=0, seed=3, memory=512).tally.executions == 300


def test_fuzzing_ends_at_the_runs_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "explore", explorer(77, 77, 77))
    assert driver.fuzz(tmp_path, runs=200, seconds=0, seed=3, memory=512).tally.executions == 200


def test_a_fuzzer_that_fails_without_a_bug_is_an_error_that_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "explore", lambda *_: driver.Ended(1, 0))
    with pytest.raises(RuntimeError, match="log.txt"):
        driver.fuzz(tmp_path, runs=10, seconds=0, seed=3, memory=512)


def test_without_atheris_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--runs", "1"])
    assert driver.main() == 2
    assert "make fuzz" in capsys.readouterr().err
