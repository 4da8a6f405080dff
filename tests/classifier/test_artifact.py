"""A model folder is taken as its card says, or refused by name."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from classifier.artifact import CARD, WEIGHTS, Card, check_weights, read_card, shipped_model, write_card
from classifier.network import build
from classifier.preprocess import PREPROCESSING_VERSION
from classifier.weights import load_model, save_model
from core.errors import ArtifactError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model, to be spoilt."""
    return Path(shutil.copytree(shipped_model(), tmp_path / "model"))


def altered(folder: Path, **values: object) -> None:
    """Write other values into the card, as somebody with an editor would."""
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | values))


def test_the_shipped_card_is_complete() -> None:
    card = read_card(shipped_model())
    assert card.name == shipped_model().name
    assert card.classes == tuple("0123456789")
    assert card.preprocessing_version == PREPROCESSING_VERSION
    assert card.seed == 3
    assert card.command.startswith("digitline train --data DIR")
    assert set(card.data_sha256) == {"train-images", "train-labels", "test-images", "test-labels"}
    assert set(card.versions) == {"digitline", "keras", "tensorflow", "numpy", "opencv"}
    assert card.parameters > 0
    assert card.megaflops > 0
    assert card.temperature > 0
    assert len(card.history["validation_accuracy"]) == card.recipe["epochs"]
    for evaluation, images in ((card.validation, 5000), (card.test, 10_000)):
        assert evaluation["images"] == images
        assert sum(map(sum, evaluation["confusion_matrix"])) == images


def test_the_shipped_folder_names_no_path_of_the_machine_it_was_made_on() -> None:
    text = (shipped_model() / CARD).read_text()
    assert "/" not in text.replace("train-", "")


def test_the_shipped_weights_are_small() -> None:
    assert (shipped_model() / WEIGHTS).stat().st_size < 3_000_000


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    card = read_card(shipped_model())
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card
    assert [path.name for path in tmp_path.iterdir()] == [CARD]


def test_a_model_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    model = build("cnn-xs", dropout=0.2)
    draft = dataclasses.replace(read_card(shipped_model()), architecture="cnn-xs")
    written = save_model(tmp_path / "new", model, draft)
    loaded, card = load_model(tmp_path / "new")
    assert card == written
    assert all((a == b).all() for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True))


def test_a_flipped_bit_in_the_weights_is_refused(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(ArtifactError, match=WEIGHTS):
        load_model(folder)


def test_hostile_weights_are_refused_before_anything_opens_them(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    with pytest.raises(ArtifactError, match="SHA-256"):
        load_model(folder)
    with pytest.raises(ArtifactError, match="SHA-256"):
        check_weights(folder, read_card(folder))


@pytest.mark.parametrize("name", [CARD, WEIGHTS])
def test_a_missing_file_is_named_with_a_mend(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=name) as refused:
        load_model(folder)
    assert refused.value.mend


def test_another_preprocessing_is_refused(folder: Path) -> None:
    altered(folder, preprocessing_version=PREPROCESSING_VERSION + 1)
    with pytest.raises(ArtifactError, match="version") as refused:
        load_model(folder)
    assert "digitline train" in refused.value.mend


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    altered(folder, architecture="cnn-m")
    with pytest.raises(ArtifactError, match="cnn-m"):
        load_model(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"weights_sha256": "short"},
        {"temperature": 0},
        {"temperature": "nan"},
        {"architecture": ["cnn-s"]},
        {"surprise": 1},
        {"history": "none"},
    ],
)
def test_a_card_with_a_value_that_cannot_be_is_refused(folder: Path, values: dict[str, object]) -> None:
    altered(folder, **values)
    with pytest.raises(ArtifactError, match=next(iter(values))):
        read_card(folder)


def test_a_card_that_lacks_a_value_is_refused(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    del card["temperature"]
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ArtifactError, match="temperature"):
        read_card(folder)


def test_a_card_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / CARD).write_text("{")
    with pytest.raises(ArtifactError, match="damaged"):
        read_card(folder)


def test_reading_a_card_needs_neither_keras_nor_opencv() -> None:
    script = (
        "import sys; from classifier.artifact import read_card, shipped_model; card: object = read_card(shipped_model());"
        "print([name for name in ('keras', 'tensorflow', 'cv2', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_card_is_a_value() -> None:
    card = read_card(shipped_model())
    assert isinstance(card, Card)
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.temperature = 2.0  # type: ignore[misc]
