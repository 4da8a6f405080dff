"""The verbs that need no line: predict, explain, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from core.settings import get_settings
from tests.digitline.conftest import Digitline
from tests.digits import digit_folder, string_picture

pytestmark = pytest.mark.usefixtures("home")

_KEYS = ["path", "status", "label", "confidence", "verdict", "true_label", "reason", "model", "digits", "review"]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Sample digits in class folders."""
    return digit_folder(tmp_path / "scans", 10)


def test_predict_prints_the_objects_of_results(digitline: Digitline, scans: Path, model_folder: Path) -> None:
    ended = digitline("predict", "scans", "--model", str(model_folder), "--json")
    assert ended.code == 0
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert [list(record) for record in records] == [_KEYS] * 10
    paths = sorted(path.relative_to(scans).as_posix() for path in scans.rglob("*.png"))
    assert [record["path"] for record in records] == paths
    assert all(record["true_label"] == int(record["path"][0]) for record in records)


def test_predict_fails_where_no_image_could_be_read(digitline: Digitline, tmp_path: Path, model_folder: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    ended = digitline("predict", "a.png", "--model", str(model_folder))
    assert ended.code == 1
    assert "not_an_image" in ended.out


def test_predicting_what_is_not_there_is_a_usage_error(digitline: Digitline) -> None:
    assert digitline("predict", "nowhere").code == 2


def test_predict_splits_a_picture_where_it_is_asked_to(
    digitline: Digitline, tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    string_picture(tmp_path / "string.png", [0, 1, 2])

    def said(*options: str) -> dict[str, object]:
        ended = digitline("predict", "string.png", "--model", str(model_folder), "--json", *options)
        record: dict[str, object] = json.loads(ended.out)
        assert ended.code == (0 if record["status"] == "scored" else 1)
        return record

    assert (said()["verdict"], said()["digits"]) == ("several", None)
    string = said("--split")
    assert isinstance(string["digits"], list)
    assert string["label"] == "".join(str(digit["label"]) for digit in string["digits"])
    monkeypatch.setenv("DIGITLINE_SPLIT", "1")
    get_settings.cache_clear()
    assert said() == string
    assert said("--no-split")["verdict"] == "several"


def test_explain_draws_the_steps_and_says_the_verdict(
    digitline: Digitline, scans: Path, tmp_path: Path, model_folder: Path
) -> None:
    digit = min((scans / "7").glob("*.png")).rename(tmp_path / "$a$ [red].png")
    ended = digitline("explain", digit.name, "--model", str(model_folder), "--output", "steps.png", "--json")
    explained = json.loads(ended.out)
    (seen,) = explained["digits"]
    assert explained["steps"][0] == "original"
    assert explained["label"] == max(range(10), key=lambda digit: seen["probabilities"][digit])
    assert explained["confidence"] == seen["confidence"] == max(seen["probabilities"])
    with Image.open(tmp_path / "steps.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height
    assert "verdict" in digitline("explain", digit.name, "--model", str(model_folder)).out
    assert (tmp_path / "strip.png").is_file()


def test_explaining_a_blank_page_shows_the_steps_up_to_where_it_is_turned_away(
    digitline: Digitline, tmp_path: Path, model_folder: Path
) -> None:
    Image.new("RGB", (40, 40), "white").save(tmp_path / "blank.png")
    ended = digitline("explain", "blank.png", "--model", str(model_folder), "--json")
    explained = json.loads(ended.out)
    assert (ended.code, explained["status"], explained["verdict"]) == (0, "rejected", "blank")
    assert explained["why"].startswith("The image is blank")
    assert explained["steps"][0] == "original"
    assert (explained["label"], explained["digits"]) == (None, [])
    with Image.open(tmp_path / "strip.png") as picture:
        assert picture.format == "PNG"


def test_explaining_what_is_no_picture_says_so(digitline: Digitline, tmp_path: Path, model_folder: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    ended = digitline("explain", "a.png", "--model", str(model_folder))
    assert ended.code == 1
    assert ended.err.startswith("digitline: ")
    assert not (tmp_path / "strip.png").exists()


def test_every_digit_of_a_string_is_explained(digitline: Digitline, tmp_path: Path, model_folder: Path) -> None:
    string_picture(tmp_path / "string.png", [0, 1, 2])
    whole = json.loads(digitline("explain", "string.png", "--model", str(model_folder), "--json").out)
    assert (whole["verdict"], whole["digits"]) == ("several", [])
    assert "--split" in whole["why"]
    string = json.loads(digitline("explain", "string.png", "--model", str(model_folder), "--json", "--split").out)
    assert string["label"] == "".join(str(digit["label"]) for digit in string["digits"])
    with Image.open(tmp_path / "strip.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.usefixtures("scans")
def test_evaluate_measures_class_folders(digitline: Digitline, model_folder: Path, tmp_path: Path) -> None:
    ended = digitline("evaluate", "--data", "scans", "--model", str(model_folder), "--json", "--output", "page.html")
    measured = json.loads(ended.out)
    assert measured["images"] == 10
    assert sum(map(sum, measured["confusion_matrix"])) == 10
    assert set(measured) >= {"accuracy", "macro_precision", "macro_recall", "macro_f1", "per_class", "escalated_share"}
    assert "<html" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "macro F1" in digitline("evaluate", "--data", "scans", "--model", str(model_folder)).out


@pytest.mark.parametrize("verb", ["train", "evaluate", "compare", "tune"])
def test_data_that_is_not_there_is_named(digitline: Digitline, verb: str) -> None:
    ended = digitline(verb, "--data", "nodata")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "digitline: There is no folder nodata. Name the folder of the data with --data.\n"
