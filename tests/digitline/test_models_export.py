"""`digitline models export` writes a model's folder once more, with what other runtimes read."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import check_files, model_sha256, read_card, shipped_model, write_card
from tests.digitline.conftest import Digitline
from training.dataset import Dataset, Digits
from training.idx import read_idx

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """What `--data` names, instead of MNIST: a few sample digits, which no test downloads."""
    images = read_idx(SAMPLES / "t10k-images-idx3-ubyte.gz")[:600]
    digits = Digits(images, read_idx(SAMPLES / "t10k-labels-idx1-ubyte.gz")[:600].astype(np.int64))
    found = Dataset(digits.take(np.arange(500)), digits.take(np.arange(500, 600)), {"train-images": "0" * 64})
    monkeypatch.setattr("training.dataset.load_dataset", lambda _: found)
    return found


@pytest.fixture
def model(tmp_path: Path, few: Dataset) -> Path:
    """The fast network of the shipped model, not exported, and trained on the few digits as its card has it."""
    card = read_card(shipped_model())
    fast = dataclasses.replace(card.fast, exports={})
    (tmp_path / "model").mkdir()
    shutil.copy(shipped_model() / fast.file, tmp_path / "model")
    changed = {"fast": fast, "careful": (), "escalate_below": 0.0, "agreement": {}, "data_sha256": dict(few.sha256)}
    write_card(tmp_path / "model", dataclasses.replace(card, **changed))  # type: ignore[arg-type]
    return tmp_path / "model"


def test_an_export_is_written_measured_and_told(digitline: Digitline, model: Path, tmp_path: Path) -> None:
    told = json.loads(digitline("models", "export", str(model), str(tmp_path / "new"), "--json").out)
    assert told["folder"] == str(tmp_path / "new")
    assert told["agreement"]["litert"]["validation"]["labels"] == 1.0
    assert set(told["agreement"]) == {"litert", "litert-int8"}
    card = read_card(tmp_path / "new")
    check_files(tmp_path / "new", card)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"card.json", *(one.file for one in card.files)}


def test_an_export_is_told_as_a_table_and_never_written_over_what_is_there(
    digitline: Digitline, model: Path, tmp_path: Path
) -> None:
    done = digitline("models", "export", str(model), str(tmp_path / "new"))
    assert done.code == 0
    assert "litert-int8" in done.out
    assert "Written to" in done.out
    before = model_sha256(tmp_path / "new")
    again = digitline("models", "export", str(model), str(tmp_path / "new"))
    assert again.code == 1
    assert "already" in again.err
    assert model_sha256(tmp_path / "new") == before
