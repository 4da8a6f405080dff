"""The bench reads pictures as the product does, and counts right what comes of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import digitline
from benchmarks.pictures import cost
from benchmarks.pictures.__main__ import app
from benchmarks.pictures.bench import Reading, Row, number_made, read_clean, read_generator
from benchmarks.pictures.catalogue import GENERATORS
from benchmarks.pictures.measures import measures
from benchmarks.pictures.sheets import ACROSS, DOWN, chosen, write_sheet
from benchmarks.pictures.table import as_record, print_findings
from training.dataset import Digits

SAMPLES = Path(__file__).parents[2] / "samples"


def _readings(*outcomes: tuple[str, str, str]) -> list[Reading]:
    return [Reading(index, *outcome) for index, outcome in enumerate(outcomes)]


#: Nine in ten clean digits are right; of the stressed ones half, of which one is uncertain, and one more is turned away.
CLEAN = _readings(*[("7", "7", "digit")] * 9, ("7", "1", "digit"))
STRESSED = _readings(
    *[("7", "7", "digit")] * 4,
    ("7", "7", "uncertain"),
    *[("7", "1", "digit")] * 2,
    *[("7", "", "blank")] * 2,
    ("7", "7", "not_a_digit"),
)


def _ignore() -> None:
    pass


def test_a_row_counts_what_is_right_what_is_sure_and_what_became_of_the_rest() -> None:
    row = Row(GENERATORS["blue_ink"], STRESSED, clean=CLEAN)
    assert row.accuracy == pytest.approx(0.5)
    assert row.sure == pytest.approx(0.6)
    assert row.difference == pytest.approx(-40)
    assert row.label_difference == pytest.approx(-30)
    assert row.outcomes == pytest.approx({"digit": 0.6, "blank": 0.2, "uncertain": 0.1, "not_a_digit": 0.1})


def test_a_picture_without_a_digit_is_right_unless_the_product_stands_by_a_digit() -> None:
    readings = _readings(("", "7", "digit"), ("", "7", "uncertain"), ("", "", "blank"), ("", "", "not_a_digit"))
    assert [reading.right for reading in readings] == [False, True, True, True]


def test_several_digits_are_right_only_to_the_last_and_in_order() -> None:
    readings = _readings(("1947", "1947", "digit"), ("1947", "194", "digit"), ("1947", "1974", "digit"))
    assert [reading.right for reading in readings] == [True, False, False]


def test_each_measure_is_of_its_kind_and_says_whether_its_goal_is_met() -> None:
    rows = [
        Row(GENERATORS["blue_ink"], STRESSED, clean=CLEAN),
        Row(GENERATORS["red_ink"], CLEAN, clean=CLEAN),
        Row(GENERATORS["open_four"], CLEAN, clean=CLEAN),
        Row(GENERATORS["loops"], _readings(("", "", "blank"))),
        Row(GENERATORS["hatching"], _readings(("", "7", "digit"), ("", "", "blank"))),
        Row(GENERATORS["separated"], _readings(("12", "12", "digit"))),
    ]
    found = {one.name: (round(one.value, 6), one.of, one.met) for one in measures(CLEAN, rows)}
    assert found == {
        "clean digits kept": (1.0, "", True),
        "worst loss under stress": (40.0, "blue_ink", False),
        "mean loss under stress": (20.0, "", False),
        "worst loss of labels, whatever the verdict": (30.0, "blue_ink", False),
        "mean loss of labels, whatever the verdict": (15.0, "", False),
        "digits kept under stress": (0.8, "", False),
        "worst loss of a style": (0.0, "open_four", True),
        "no digits, turned away": (0.75, "", False),
        "no digits, turned away least": (0.5, "hatching", False),
        "separated digits all right": (1.0, "", True),
    }


def test_the_table_and_the_record_show_the_same_figures() -> None:
    rows = [Row(GENERATORS["blue_ink"], STRESSED, clean=CLEAN)]
    found = measures(CLEAN, rows)
    text = io.StringIO()
    print_findings(Console(file=text, width=200), CLEAN, rows, found)
    generators, _, _ = text.getvalue().partition("\n\n")
    lines = {line.split()[0]: line.split()[1:] for line in generators.splitlines()}
    assert lines["clean"] == ["MNIST", "10", "90.00%", "100.00%"]
    assert lines["blue_ink"][:6] == ["stress", "10", "50.00%", "-40.00", "-30.00", "60.00%"]
    record = json.loads(json.dumps(as_record(CLEAN, rows, found)))
    assert record["clean"] == {"pictures": 10, "accuracy": 0.9, "sure": 1.0}
    assert record["generators"][0]["accuracy"] == 0.5
    assert [one["met"] for one in record["measures"]] == [True, False, False, False, False, False]


def test_of_large_pictures_fewer_are_made_but_one_at_least() -> None:
    assert [number_made(GENERATORS["phone_photo_12mp"], count) for count in (1, 50, 500)] == [1, 1, 10]
    assert number_made(GENERATORS["blue_ink"], 500) == 500


def test_what_the_bench_reads_is_what_the_product_reads(digits: Digits, tmp_path: Path) -> None:
    clean = read_clean(digits, 12, _ignore)
    for name in ("black_ink", "jpeg"):
        row = read_generator(GENERATORS[name], digits, 12, clean, _ignore)
        for reading in row.readings:
            example = GENERATORS[name].example(digits, reading.index)
            image: object = example.image
            if isinstance(image, bytes):
                image = tmp_path / "one.jpg"
                image.write_bytes(example.image)
            (result,) = digitline.predict(image)
            assert (reading.text, reading.truth) == (str(result.label), example.truth)
            assert reading.outcome == result.verdict


def test_every_picture_is_told_of_once_it_is_read(digits: Digits) -> None:
    told: list[None] = []
    read_generator(GENERATORS["empty_paper"], digits, 7, [], lambda: told.append(None))
    assert len(told) == 7


def test_a_sheet_shows_wrong_readings_first_and_frames_them_red(digits: Digits, tmp_path: Path) -> None:
    wrong = [Reading(index, "7", "1", "digit") for index in range(30)]
    right = [Reading(index, "7", "7", "digit") for index in range(30, 80)]
    row = Row(GENERATORS["tiny"], [*right, *wrong], clean=CLEAN)
    assert [reading.right for reading in chosen(row)] == [False] * 20 + [True] * 20
    sheet = cv2.imread(str(write_sheet(tmp_path, row, digits)))
    height, width = sheet.shape[0] // DOWN, sheet.shape[1] // ACROSS
    corners = sheet[1::height, 1::width].astype(np.int64)
    red = corners[..., 2] - corners[..., 1] > 100
    assert red.ravel().tolist() == [not reading.right for reading in chosen(row)]


def test_a_sheet_of_few_readings_shows_them_all(digits: Digits, tmp_path: Path) -> None:
    row = Row(GENERATORS["tiny"], CLEAN, clean=CLEAN)
    assert sorted(reading.index for reading in chosen(row)) == list(range(10))
    assert write_sheet(tmp_path, row, digits).name == "tiny.png"


def test_the_command_prints_an_object_and_writes_the_sheets(tmp_path: Path) -> None:
    asked = ["--data", str(SAMPLES), "--count", "5", "--only", "red_ink", "--only", "empty_paper"]
    run = CliRunner().invoke(app, [*asked, "--sheets", str(tmp_path / "sheets"), "--json"])
    assert run.exit_code == 0, run.output
    record = json.loads(run.stdout)
    assert record["digits"] == "test"
    assert [(one["name"], one["pictures"]) for one in record["generators"]] == [("red_ink", 5), ("empty_paper", 5)]
    assert {path.name for path in (tmp_path / "sheets").iterdir()} == {"red_ink.png", "empty_paper.png"}


def test_an_unknown_generator_is_named_and_so_are_those_there_are() -> None:
    run = CliRunner().invoke(app, ["--data", str(SAMPLES), "--only", "blue_inc"])
    assert run.exit_code == 2
    assert "blue_inc" in run.output
    assert "ballpoint_skips" in run.output


def test_what_pictures_cost_is_told_beside_their_decoding() -> None:
    run = CliRunner().invoke(cost.app, ["--repetitions", "1", "--json"])
    assert run.exit_code == 0, run.output
    costs = json.loads(run.stdout)["costs"]
    assert [one["name"] for one in costs] == [kind.name for kind in cost.KINDS]
    assert all(one["ratio"] == pytest.approx(one["whole"] / one["decoding"]) for one in costs)
    assert all(one["decoding"] > 0 for one in costs)
