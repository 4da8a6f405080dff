"""The bench of speed: what it makes of what it measured, and that it measures the real line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.speed import work as works
from benchmarks.speed.__main__ import app
from benchmarks.speed.candidates import CANDIDATES, Candidate, RayData, Roofline, Work
from benchmarks.speed.chart import write_chart
from benchmarks.speed.figures import figures, ratios
from benchmarks.speed.peer import Run, count_right
from benchmarks.speed.peers.reading import prepared_batch
from benchmarks.speed.rounds import CandidateFailed, Folders, Turn, missing_packages, take_turn
from benchmarks.speed.table import as_record, print_findings
from benchmarks.speed.work import folder_of, read_once

ROOT = Path(__file__).parents[2]


def turn(candidate: str, rates: list[float], work: Work = Work.DIGITS, idle_load: float = 0.01) -> Turn:
    """A turn in which a folder of 100 images was read at these rates."""
    return Turn(candidate, work, [Run(100, 100 / rate, 99, {"read": 1.0}) for rate in rates], idle_load, 8.0)


def rounds(**rates: list[float]) -> list[Turn]:
    """Turns of small digits, one a round; `_` stands for `-`."""
    return [turn(name.replace("_", "-"), [rate]) for name, each in rates.items() for rate in each]


def test_a_figure_is_the_median_of_the_rounds_and_a_round_that_of_its_runs() -> None:
    (figure,) = figures(
        [turn("roofline", [100, 400, 200]), turn("roofline", [300]), turn("roofline", [50], idle_load=0.3)]
    )
    assert figure.rates == pytest.approx([200, 300, 50])
    assert figure.rate == pytest.approx(200)
    assert (figure.images, figure.right, figure.idle_load) == (100, 99, 0.3)


def test_a_ratio_is_that_of_the_medians_and_says_how_far_rounds_differ() -> None:
    (ratio,) = ratios(figures(rounds(line_sqlite=[90, 80, 95], roofline=[100, 100, 95])))
    assert (ratio.name, ratio.target, ratio.met) == ("line-sqlite/roofline", 0.9, True)
    assert (ratio.value, ratio.lowest, ratio.highest) == pytest.approx((0.9, 0.8, 1.0))


def test_every_target_is_printed_and_one_that_is_missed_says_so() -> None:
    rates = dict.fromkeys(CANDIDATES, 100.0) | {"line-sqlite": 2000.0, "naive": 5.0}
    found = ratios(figures([turn(name, [rate]) for name, rate in rates.items()]))
    assert {ratio.name: ratio.target for ratio in found if ratio.target is not None} == {
        "line-postgresql/roofline": 0.9,
        "line-sqlite/roofline": 0.9,
        "line-postgresql/tutorial": 15,
        "line-sqlite/tutorial": 15,
        "line-postgresql/ray-data": 2,
        "line-sqlite/ray-data": 2,
        "line-postgresql/naive": 200,
        "line-sqlite/naive": 200,
        "line-sqlite/line-one-process": 1.85,
        "line-flower/line-sqlite": 0.97,
    }
    met = {ratio.name: ratio.met for ratio in found}
    assert met["line-sqlite/tutorial"] is True
    assert met["line-postgresql/tutorial"] is False
    assert met["line-flower/line-sqlite"] is False


def test_of_larger_pictures_only_the_share_of_the_roofline_has_a_target() -> None:
    names = ("roofline", "line-sqlite", "tutorial")
    found = ratios(figures([turn(name, [10], Work.PHOTOS) for name in names]))
    assert {ratio.name: ratio.target for ratio in found} == {
        "photos:line-sqlite/roofline": 0.9,
        "photos:line-sqlite/tutorial": None,
    }


def test_a_ratio_is_a_line_that_a_script_can_read() -> None:
    found = figures(rounds(line_sqlite=[90], roofline=[100]))
    text = io.StringIO()
    print_findings(Console(file=text, width=200), found, ratios(found))
    assert text.getvalue().splitlines()[0] == "ratio line-sqlite/roofline 0.900 target 0.9 (0.9 to 0.9)"
    assert "busy" not in text.getvalue()


def test_a_machine_that_was_busy_meanwhile_is_named_a_reason_for_doubt() -> None:
    found = figures([turn("roofline", [100], idle_load=0.5)])
    text = io.StringIO()
    print_findings(Console(file=text, width=200), found, [])
    assert "The machine was busy" in text.getvalue()


def test_the_record_has_settings_and_reasons_but_neither_host_nor_path() -> None:
    found = figures(rounds(line_postgresql=[90], roofline=[100]))
    text = json.dumps(as_record(found, ratios(found), 1))
    record = json.loads(text)
    assert record["candidates"]["line-postgresql"]["database"] == "postgresql"
    assert all(candidate["why"] for candidate in record["candidates"].values())
    assert record["machine"]["libraries"]["tensorflow"]
    assert record["figures"][0]["rates"] == pytest.approx([90])
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text
    assert str(ROOT) not in text


def test_the_chart_is_a_small_picture(tmp_path: Path) -> None:
    turns = [turn(name, [10.0**place]) for place, name in enumerate(CANDIDATES)]
    turns += [turn(name, [10.0 + place], Work.SCANS) for place, name in enumerate(CANDIDATES)]
    write_chart(figures(turns), tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size <= 80_000
    assert cv2.imread(str(tmp_path / "speed.png")) is not None


@pytest.mark.parametrize("candidate", CANDIDATES.values(), ids=lambda candidate: candidate.name)
def test_every_candidate_has_a_module_and_says_why_it_is_set_so(candidate: Candidate) -> None:
    assert find_spec(f"benchmarks.speed.peers.{candidate.peer.module}") is not None
    assert candidate.peer.why.endswith(".")


def test_a_folder_is_made_once_and_whole(tmp_path: Path) -> None:
    folder = folder_of(Work.SCANS, 12, tmp_path)
    files = sorted(folder.glob("*/*.jpg"))
    assert len(files) == 12
    assert {cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape for path in files} == {(200, 200)}
    written = files[0].stat().st_mtime_ns
    assert folder_of(Work.SCANS, 12, tmp_path) == folder
    assert files[0].stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == ["scans-12"]


def test_photos_have_twelve_megapixels_and_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(works, "_PHOTOS", 1)
    folder = folder_of(Work.PHOTOS, 3 * works.PHOTOS_ONE_IN, tmp_path)
    files = sorted(folder.glob("*/*.jpg"))
    assert [path.name for path in files] == ["00000.jpg", "00001.jpg", "00002.jpg"]
    height, width = cv2.imread(str(files[2])).shape[:2]
    assert height * width == 12_192_768
    assert read_once(folder) == 3


def test_what_holds_no_digit_has_no_place_among_the_prepared(tmp_path: Path) -> None:
    digits = [path.read_bytes() for path in sorted(folder_of(Work.DIGITS, 2, tmp_path).glob("*/*.png"))]
    images, places = prepared_batch([digits[0], b"no picture", digits[1]])
    assert images.shape == (2, 28, 28)
    assert places.tolist() == [0, 2]
    images, places = prepared_batch([b"no picture"])
    assert (images.shape, places.tolist()) == ((0, 28, 28), [])


def test_a_label_is_right_where_it_is_that_of_the_class_folder() -> None:
    assert count_right(["1/a.png", "7/b.png", "7/c.png"], np.array([1, 7, -1]).tolist()) == 2


def test_a_candidate_that_dies_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    unknown = Candidate("no-such-candidate", Roofline())
    folders = Folders(lambda *_: tmp_path, images=1, warm_up=1)
    with pytest.raises(CandidateFailed, match=r"(?s)no-such-candidate has ended with code 1.*KeyError"):
        list(take_turn(unknown, [Work.DIGITS], folders, tmp_path / "logs"))


def test_what_a_candidate_needs_is_asked_for_before_anything_starts() -> None:
    class Exotic(RayData):
        needs = ("no_such_package", "json")

    assert missing_packages([Candidate("exotic", Exotic())]) == ["no_such_package"]
    assert missing_packages([replace(CANDIDATES["roofline"], name="mine")]) == []


def test_an_unknown_candidate_is_named_and_so_are_those_there_are() -> None:
    run = CliRunner().invoke(app, ["--only", "rooflime"])
    assert run.exit_code == 2
    assert "rooflime" in run.output
    assert "line-postgresql" in run.output


@pytest.mark.timeout(600)
def test_the_quick_bench_measures_the_real_line_beside_the_bare_loop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.speed", "--quick", "--images", "512", "--output", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("ratio line-sqlite/roofline ")
    record = json.loads((tmp_path / "results.json").read_text())
    loop, line = record["figures"]
    assert (loop["candidate"], line["candidate"]) == ("roofline", "line-sqlite")
    assert loop["images"] == line["images"] == 512
    assert loop["right"] == line["right"] > 500
    assert {"read", "preprocess", "predict", "tally"} <= line["stages"].keys()
    assert (tmp_path / "speed.png").stat().st_size > 0
