"""The verb that measures a model, on class folders as a user has them and on MNIST's own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.digitline.conftest import Digitline
from tests.digits import digit_folder
from training.corruptions import CORRUPTIONS

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A hundred sample digits in class folders, one of them in the wrong one."""
    folder = digit_folder(tmp_path / "digits", 100)
    (folder / "3" / "stray.png").write_bytes(min((folder / "7").iterdir()).read_bytes())
    return folder


def test_json_gives_every_figure_and_names_the_file_of_a_mistake(digitline: Digitline, data: Path) -> None:
    ended = digitline("evaluate", "--data", str(data), "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["images"] == 101
    assert told["accuracy"] == pytest.approx(100 / 101)
    low, high = told["accuracy_interval"]
    assert low < told["accuracy"] < high < 1
    assert {"macro_precision", "macro_recall", "macro_f1", "per_class", "confusion_matrix"} <= set(told)
    assert {"calibration_error", "escalated_share", "coverage_risk", "images_per_second"} <= set(told)
    assert [(one["path"], one["true"], one["predicted"]) for one in told["mistakes"]] == [("3/stray.png", 3, 7)]
    assert "corruptions" not in told


def test_a_target_error_is_translated_into_coverage(digitline: Digitline, data: Path) -> None:
    lax, strict = (
        json.loads(digitline("evaluate", "--data", str(data), "--target-error", target, "--json").out)
        for target in ("0.05", "0")
    )
    assert lax["target_error"] == 0.05
    assert lax["coverage"] > 0.9
    assert lax["risk"] == pytest.approx(1 / 101, abs=0.002)
    assert strict["coverage"] == 0
    assert strict["risk"] is None


def test_a_target_error_beyond_all_is_refused(digitline: Digitline, data: Path) -> None:
    ended = digitline("evaluate", "--data", str(data), "--target-error", "2")
    assert ended.code == 2
    assert "--target-error" in ended.err


def test_people_get_tables_with_the_corruptions_and_their_mean(digitline: Digitline, data: Path) -> None:
    ended = digitline("evaluate", "--data", str(data), "--corruptions")
    assert ended.code == 0, ended.err
    lines = {line.split("  ")[0]: line for line in ended.out.splitlines()}
    assert "95 % interval" in lines["accuracy"]
    assert "99.01%" in lines["accuracy"]
    for name in CORRUPTIONS:
        assert "%" in lines[name.replace("_", " ")]
    assert "%" in lines["mean"]


def test_a_page_is_written_with_the_picture_of_the_mistake(digitline: Digitline, data: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ended = digitline("evaluate", "--data", str(data), "--corruptions", "--seed", "4", "--output", str(page), "--json")
    assert ended.code == 0, ended.err
    spoilt = json.loads(ended.out)["corruptions"]
    assert spoilt["seed"] == 4
    assert spoilt["accuracy"].keys() == CORRUPTIONS.keys()
    assert spoilt["mean"] == pytest.approx(sum(spoilt["accuracy"].values()) / len(CORRUPTIONS))
    html = page.read_text(encoding="utf-8")
    assert "3/stray.png" in html
    assert "<h2>Spoilt digits</h2>" in html
    assert "class folders of" in html


def test_a_folder_that_is_not_there_is_named(digitline: Digitline) -> None:
    ended = digitline("evaluate", "--data", "nowhere")
    assert ended.code == 1
    assert "There is no folder nowhere" in ended.err
