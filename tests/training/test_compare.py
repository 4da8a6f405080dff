"""Methods are compared on the same digits, and the comparison is kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from training.compare import Row, compare
from training.dataset import Split
from training.standings import write_standings

_NAMES = ["CNN", "MLP", "SVM (RBF)", "random forest", "k-NN"]


@pytest.fixture(scope="module")
def notes() -> list[tuple[int, int, str]]:
    """What the comparison told about itself."""
    return []


@pytest.fixture(scope="module")
def rows(few: Split, notes: list[tuple[int, int, str]]) -> list[Row]:
    """A comparison on few digits."""
    return compare(few, epochs=4, progress=lambda *note: notes.append(note))


def test_every_method_is_measured_on_the_same_digits_and_learns(rows: list[Row]) -> None:
    assert [row.name for row in rows] == _NAMES
    for row in rows:
        assert (row.trained_on, row.measured_on) == (600, 200)
        assert row.fit_seconds > 0
        assert row.images_per_second > 0
        assert row.size > 10_000
    by_name = {row.name: row for row in rows}
    assert all(by_name[name].accuracy > 0.75 for name in _NAMES[2:])
    # A network learns little in 16 steps, and yet more than nothing.
    assert by_name["MLP"].accuracy > 0.3
    assert by_name["k-NN"].size > 600 * 784 * 4


def test_the_bar_counts_methods_and_tells_how_far_a_network_is(
    rows: list[Row], notes: list[tuple[int, int, str]]
) -> None:
    counts = [done for done, _, _ in notes]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, len(rows))
    assert {total for _, total, _ in notes} == {5}
    assert any(message.startswith("MLP: epoch 4/4") for done, _, message in notes if done == 1)


def test_the_same_seed_gives_the_same_forest_and_networks(rows: list[Row], few: Split) -> None:
    again = compare(few, epochs=4)
    assert [row.accuracy for row in again[2:]] == [row.accuracy for row in rows[2:]]
    assert again[1].accuracy == pytest.approx(rows[1].accuracy, abs=0.02)


def test_a_comparison_is_kept_as_table_data_chart_and_page(rows: list[Row], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    files = write_standings(rows, folder, facts={"command": "digitline <compare>", "seed": 3})
    assert sorted(file.suffix for file in files) == [".csv", ".html", ".json", ".png", ".svg"]
    table = list(csv.DictReader(files[0].read_text(encoding="utf-8").splitlines()))
    assert [line["name"] for line in table] == _NAMES
    assert float(table[2]["macro_recall"]) == rows[2].macro_recall
    kept = json.loads(files[1].read_text(encoding="utf-8"))
    assert kept["seed"] == 3
    assert [Row(**row) for row in kept["rows"]] == rows
    assert files[2].read_bytes().startswith(b"\x89PNG")
    assert "<svg" in files[3].read_text(encoding="utf-8")
    page = files[4].read_text(encoding="utf-8")
    assert all(name in page for name in _NAMES)
    assert "digitline &lt;compare&gt;" in page
    assert "data:image/png;base64," in page
    assert 'src="http' not in page
