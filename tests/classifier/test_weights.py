"""Networks come back from a model folder as they were saved; a changed, swapped or hostile file is never parsed."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from classifier.artifact import (
    CARD,
    FAST,
    PREPROCESSING_VERSION,
    Card,
    model_sha256,
    read_card,
    shipped_model,
    write_card,
)
from classifier.network import ARCHITECTURES, build, megaflops
from classifier.predict import Predictor
from classifier.weights import describe, load_networks, save_model, save_network
from core.errors import ArtifactError
from tests.classifier.spoilt import altered, members, packed, planted, with_config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model, to be spoilt."""
    return Path(shutil.copytree(shipped_model(), tmp_path / "model"))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that is there once hostile code has run."""
    return tmp_path / "canary"


def card_of(fast: keras.Model, *careful: keras.Model) -> Card:
    """A card that describes networks."""
    described = [describe(model, recipe={"seed": 3}, history={"loss": [1.0]}) for model in (fast, *careful)]
    files = [f"careful-{place}.keras" for place in range(1, len(described))]
    names = [dataclasses.replace(one, file=file) for one, file in zip(described[1:], files, strict=True)]
    shipped = read_card(shipped_model())
    return dataclasses.replace(shipped, fast=described[0], careful=tuple(names), escalate_below=0.0)


def same_weights(one: keras.Model, other: keras.Model) -> bool:
    """Whether two networks have the very same weights."""
    return all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def saved_by_keras(model: keras.Model, folder: Path) -> bytes:
    """What Keras itself writes of a network."""
    model.save(folder / "hostile.keras")
    return (folder / "hostile.keras").read_bytes()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_comes_back_as_it_was_saved(architecture: str, tmp_path: Path) -> None:
    model = build(architecture, dropout=0.2)
    written = save_model(tmp_path / "new", model, [], card_of(model))
    (loaded,), card = load_networks(tmp_path / "new")
    assert card == written == read_card(tmp_path / "new")
    assert same_weights(loaded, model)
    images = np.random.default_rng(3).random((4, 28, 28, 1), np.float32)
    wanted = np.asarray(model(images, training=False))
    np.testing.assert_allclose(np.asarray(loaded(images, training=False)), wanted, rtol=1e-5, atol=1e-6)
    assert not any(isinstance(layer, layers.Dropout) for layer in loaded.layers)


def test_a_cascade_comes_back_in_its_order(tmp_path: Path) -> None:
    fast, *careful = build("cnn-xs"), build("cnn-s"), build("cnn-s")
    written = save_model(tmp_path, fast, careful, card_of(fast, *careful))
    assert {path.name for path in tmp_path.iterdir()} == {CARD, FAST, "careful-1.keras", "careful-2.keras"}
    loaded, card = load_networks(tmp_path, sha256=model_sha256(tmp_path))
    assert card == written
    assert [model.name for model in loaded] == ["cnn-xs", "cnn-s", "cnn-s"]
    assert all(same_weights(one, other) for one, other in zip(loaded, [fast, *careful], strict=True))
    assert not same_weights(loaded[1], loaded[2])


def test_networks_that_the_card_does_not_describe_are_not_saved(tmp_path: Path) -> None:
    fast, careful = build("cnn-xs"), build("cnn-s")
    for models in ([fast, []], [careful, [fast]], [fast, [careful, careful]]):
        with pytest.raises(ValueError, match="does not describe"):
            save_model(tmp_path, *models, card_of(fast, careful))
    assert not list(tmp_path.iterdir())


def test_a_network_trained_in_half_precision_is_saved_in_single_precision(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build("cnn-xs", dropout=0.2)
        assert model.layers[1].compute_dtype == "bfloat16"
        save_model(tmp_path, model, [], card_of(model))
        (loaded,), _ = load_networks(tmp_path)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in loaded.layers[1:]} == {"float32"}
    assert same_weights(loaded, model)
    assert b"bfloat16" not in members((tmp_path / FAST).read_bytes())["config.json"]


def test_a_description_counts_weights_and_work() -> None:
    model = build("cnn-xs", dropout=0.5)
    described = describe(model, recipe={"seed": 4}, history={"loss": [0.5, 0.25]})
    assert described.architecture == "cnn-xs"
    assert described.parameters == sum(weight.size for weight in model.get_weights())
    assert described.megaflops == megaflops(model)
    assert described.recipe == {"seed": 4}
    assert described.history == {"loss": (0.5, 0.25)}


def lambda_network(canary: Path) -> keras.Model:
    """A network whose code leaves a canary wherever it is built."""

    image = keras.Input((28, 28, 1))
    evil = eval(f"lambda images: __import__('pathlib').Path({str(canary)!r}).touch() or images")
    return keras.Model(image, layers.Dense(10)(layers.Flatten()(layers.Lambda(evil)(image))))


def registered_network(canary: Path) -> tuple[keras.Model, type]:
    """A network of a class that somebody registered, whose deserialisation leaves a canary even in safe mode."""

    class Canary(layers.Layer):
        def call(self, images: object) -> object:
            return images

        @classmethod
        def from_config(cls, config: dict[str, object]) -> Canary:
            canary.touch()
            return cls(**config)

    image = keras.Input((28, 28, 1))
    return keras.Model(image, layers.Dense(10)(layers.Flatten()(Canary()(image)))), Canary


def test_hostile_code_in_a_lambda_layer_never_runs(folder: Path, canary: Path) -> None:
    content = saved_by_keras(lambda_network(canary), folder)
    canary.unlink()
    keras.saving.load_model(folder / "hostile.keras", safe_mode=False)
    assert canary.exists(), "the plant is live"
    canary.unlink()
    planted(folder, content)
    with pytest.raises(ArtifactError, match=r"keras\.layers\.Lambda"):
        Predictor(folder, batch_size=4)
    assert not canary.exists()


def test_a_class_of_somebody_elses_is_never_made(folder: Path, canary: Path) -> None:
    model, hostile = registered_network(canary)
    content = saved_by_keras(model, folder)
    with keras.saving.custom_object_scope({"Canary": hostile}):
        keras.saving.load_model(folder / "hostile.keras", safe_mode=True)
        assert canary.exists(), "the plant is live, in safe mode too"
        canary.unlink()
        planted(folder, content)
        with pytest.raises(ArtifactError, match=r"\.Canary"):
            Predictor(folder, batch_size=4)
    assert not canary.exists()


def test_a_module_that_a_configuration_names_is_never_imported(
    folder: Path, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted_module.py").write_text(f"import pathlib; pathlib.Path({str(canary)!r}).touch()\n")
    monkeypatch.syspath_prepend(tmp_path)

    def change(config):
        config["config"]["layers"][1] |= {"module": "planted_module", "class_name": "Layer", "registered_name": "Layer"}

    planted(folder, with_config((folder / FAST).read_bytes(), change))
    with pytest.raises(ArtifactError, match=r"planted_module\.Layer"):
        Predictor(folder, batch_size=4)
    assert not canary.exists()


@pytest.mark.parametrize("spoil", [lambda content: content + b"\0", lambda content: content[:-1], lambda _: b""])
def test_a_changed_file_is_refused_by_its_hash_before_it_is_opened(
    folder: Path, spoil: Callable[[bytes], bytes]
) -> None:
    (folder / FAST).write_bytes(spoil((folder / FAST).read_bytes()))
    with pytest.raises(ArtifactError, match="SHA-256"):
        load_networks(folder)


def test_a_hostile_file_in_the_place_of_a_network_is_refused_by_its_hash(folder: Path, canary: Path) -> None:
    model, hostile = registered_network(canary)
    (folder / FAST).write_bytes(saved_by_keras(model, folder))
    with (
        keras.saving.custom_object_scope({"Canary": hostile}),
        pytest.raises(ArtifactError, match="SHA-256"),
    ):
        load_networks(folder)
    assert not canary.exists()


def test_two_networks_that_were_swapped_are_refused(tmp_path: Path) -> None:
    fast, careful = build("cnn-xs"), build("cnn-xs")
    save_model(tmp_path, fast, [careful], card_of(fast, careful))
    (tmp_path / FAST).rename(tmp_path / "held")
    (tmp_path / "careful-1.keras").rename(tmp_path / FAST)
    (tmp_path / "held").rename(tmp_path / "careful-1.keras")
    with pytest.raises(ArtifactError, match="SHA-256"):
        load_networks(tmp_path)


def test_a_folder_with_another_card_than_the_registry_knows_is_refused(folder: Path) -> None:
    known = model_sha256(folder)
    model = build("cnn-s")
    save_network(folder / FAST, model)
    planted(folder, (folder / FAST).read_bytes())
    assert load_networks(folder)[1].fast.sha256 != read_card(shipped_model()).fast.sha256
    with pytest.raises(ArtifactError, match="another model"):
        Predictor(folder, batch_size=4, sha256=known)


def test_weights_of_another_architecture_are_refused(folder: Path, tmp_path: Path) -> None:
    save_network(tmp_path / "other.keras", build("cnn-xs"))
    ours, others = members((folder / FAST).read_bytes()), members((tmp_path / "other.keras").read_bytes())
    planted(folder, packed(others | {"model.weights.h5": ours["model.weights.h5"]}))
    with pytest.raises(ArtifactError, match="does not hold a network"):
        load_networks(folder)
    planted(folder, packed(ours | {"model.weights.h5": others["model.weights.h5"]}))
    with pytest.raises(ArtifactError, match="bytes of weights, and it holds"):
        load_networks(folder)


@pytest.mark.parametrize("weights", [b"", b"cos\nsystem\n(S'touch canary'\ntR.", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_is_no_weights_is_refused(folder: Path, weights: bytes) -> None:
    padded = weights.ljust(1 << 20, b"\0")  # as many bytes as the network needs
    planted(folder, packed(members((folder / FAST).read_bytes()) | {"model.weights.h5": padded}))
    with pytest.raises(ArtifactError, match="does not hold a network"):
        load_networks(folder)


@pytest.mark.parametrize(("side", "digits"), [(32, 10), (28, 11)])
def test_a_network_of_another_shape_is_refused(folder: Path, side: int, digits: int) -> None:
    image = keras.Input((side, side, 1))
    planted(folder, saved_by_keras(keras.Model(image, layers.Dense(digits)(layers.Flatten()(image))), folder))
    with pytest.raises(ArtifactError, match="does not hold a network"):
        load_networks(folder)


@pytest.mark.parametrize("name", [CARD, FAST])
def test_a_missing_file_is_named_with_a_mend(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=name) as refused:
        load_networks(folder)
    assert refused.value.mend


def test_another_preprocessing_is_refused(folder: Path) -> None:
    altered(folder, preprocessing_version=PREPROCESSING_VERSION + 1)
    with pytest.raises(ArtifactError, match="version") as refused:
        load_networks(folder)
    assert "digitline train" in refused.value.mend


def test_loading_leaves_nothing_behind_and_writes_nothing_into_the_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))
    before = sorted(folder.iterdir())
    load_networks(folder)
    write_card(folder, read_card(folder))
    assert sorted(folder.iterdir()) == before
    assert not list(private.iterdir())
