"""An export reads what Keras reads, or is not written; it is repeatable, and leaves the folder it was made from alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import FAST, Card, check_files, model_sha256, read_card, shipped_model
from classifier.network import ARCHITECTURES, build
from classifier.predict import Predictor
from classifier.weights import describe, save_model
from core.errors import ArtifactError, DatasetError
from core.vocabulary import Runtime
from training import export as exporting
from training.dataset import Dataset, Digits
from training.export import LEAST_AGREEMENT, export
from training.reexport import reexport


@pytest.fixture
def dataset(digits: Digits) -> Dataset:
    return Dataset(digits.take(np.arange(500)), digits.take(np.arange(500, 800)), {"train-images": "0" * 64})


def saved(folder: Path, architecture: str = "cnn-xs") -> Card:
    """A model of one network that has learned nothing, in a folder."""
    model = build(architecture)
    recipe = {"seed": 3, "validation": 100, "split_seed": 3}
    card = dataclasses.replace(
        read_card(shipped_model()),
        fast=describe(model, recipe=recipe, history={}),
        careful=(),
        escalate_below=0.0,
        data_sha256={"train-images": "0" * 64},
    )
    return save_model(folder, model, [], card)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_exported_and_the_copy_scores_as_the_card_says(
    architecture: str, dataset: Dataset, tmp_path: Path
) -> None:
    saved(tmp_path / "model", architecture)
    card = reexport(tmp_path / "model", tmp_path / "exported", dataset)
    assert card == read_card(tmp_path / "exported")
    check_files(tmp_path / "exported", card)
    wanted = Predictor(tmp_path / "exported", batch_size=64)(dataset.test.images)
    found = Predictor(tmp_path / "exported", batch_size=64, runtime=Runtime.LITERT)(dataset.test.images)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-4)
    assert {runtime: set(parts) for runtime, parts in card.agreement.items()} == {
        runtime: {"validation", "test"} for runtime in LEAST_AGREEMENT
    }
    assert card.agreement[Runtime.LITERT]["test"].labels == 1.0


def test_a_model_is_exported_to_the_same_bytes_again_and_its_folder_stays_as_it_is(
    dataset: Dataset, tmp_path: Path
) -> None:
    saved(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    reexport(tmp_path / "model", tmp_path / "one", dataset)
    reexport(tmp_path / "one", tmp_path / "other", dataset)
    assert model_sha256(tmp_path / "one") == model_sha256(tmp_path / "other")
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "one", "other"]


def test_an_export_that_reads_other_digits_than_keras_is_refused_and_nothing_is_written(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = saved(tmp_path / "model")
    converted = exporting._converted
    # What an unsound converter would do: the file of another network.
    monkeypatch.setattr(exporting, "_converted", lambda _, *rest: converted(build("cnn-xs"), *rest))
    measured = {"validation": dataset.test}
    with pytest.raises(ArtifactError, match=r"is not exported: by litert .* of the validation digits"):
        export(tmp_path / "model", [build("cnn-xs")], card, learned=dataset.train, measured=measured)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["card.json", FAST]
    with pytest.raises(ArtifactError, match="is not exported"):
        reexport(tmp_path / "model", tmp_path / "exported", dataset)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_export_is_made_of_the_models_own_data_and_into_a_folder_that_is_not_there_yet(
    dataset: Dataset, tmp_path: Path
) -> None:
    saved(tmp_path / "model")
    with pytest.raises(ArtifactError, match=r"There is a .*model already"):
        reexport(tmp_path / "model", tmp_path / "model", dataset)
    with pytest.raises(DatasetError, match="was trained on other data"):
        reexport(tmp_path / "model", tmp_path / "exported", dataclasses.replace(dataset, sha256={}))
