"""A `.keras` file is looked into before Keras sees it, and written without a date."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import FAST, PREPROCESSING_VERSION, read_card, shipped_model
from classifier.keras_file import check, check_folder
from classifier.network import ARCHITECTURES, build
from classifier.weights import save_network
from core.errors import ArtifactError
from tests.classifier.spoilt import Config, first_layer, members, packed, planted, with_config, with_layer

PATH = Path("fast.keras")


@pytest.fixture(scope="module")
def content() -> bytes:
    """The shipped network as a file."""
    return (shipped_model() / FAST).read_bytes()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_as_it_is_saved_is_plain(architecture: str, tmp_path: Path) -> None:
    save_network(tmp_path / FAST, build(architecture, dropout=0.2))
    check((tmp_path / FAST).read_bytes(), PATH)


def test_the_same_weights_make_the_same_file_whatever_was_built_before(tmp_path: Path) -> None:
    first = build("cnn-xs", dropout=0.2)
    again = build("cnn-xs")
    again.set_weights(first.get_weights())
    digests = [save_network(tmp_path / name, model) for name, model in (("a.keras", first), ("b.keras", again))]
    assert digests[0] == digests[1]
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_a_file_holds_nothing_that_only_training_needs(tmp_path: Path) -> None:
    model = build("cnn-xs", dropout=0.2)
    model.compile(optimizer="adam", loss="mse")
    model.fit(np.zeros((2, 28, 28, 1), np.float32), np.zeros((2, 10), np.float32), verbose=0)
    save_network(tmp_path / FAST, model)
    files = members((tmp_path / FAST).read_bytes())
    config = json.loads(files["config.json"])
    assert not config["compile_config"]
    assert "Dropout" not in {layer["class_name"] for layer in config["config"]["layers"]}
    assert b"optimizer" not in files["model.weights.h5"]
    assert "date_saved" not in json.loads(files["metadata.json"])


@pytest.mark.parametrize("name", ["model.weights.h5", "model.h5", "model.hdf5", "model", "model.pkl"])
def test_any_other_kind_of_file_is_refused_by_its_name(name: str, content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"\.keras") as refused:
        check(content, Path(name))
    assert name in str(refused.value)
    assert refused.value.mend


@pytest.mark.parametrize("end", [0, 10, 100_000, -1, -30])
def test_what_is_no_whole_archive_is_refused(end: int, content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"fast\.keras is refused"):
        check(content[:end], PATH)


@pytest.mark.parametrize("missing", ["config.json", "metadata.json", "model.weights.h5"])
def test_an_archive_that_lacks_a_member_is_refused(missing: str, content: bytes) -> None:
    files = members(content)
    del files[missing]
    with pytest.raises(ArtifactError, match="instead of"):
        check(packed(files), PATH)


@pytest.mark.parametrize("name", ["assets/vocabulary.txt", "../../etc/cron.d/x", "/config.json", "model.weights.npz"])
def test_an_archive_that_holds_more_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(ArtifactError, match="instead of"):
        check(packed(members(content) | {name: b"x"}), PATH)


def test_an_archive_with_two_members_of_one_name_is_refused(content: bytes) -> None:
    buffer = io.BytesIO(content)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("config.json", b"{}")
    with pytest.raises(ArtifactError, match="instead of"):
        check(buffer.getvalue(), PATH)


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_zip_bomb_is_refused_before_it_unfolds(name: str, content: bytes) -> None:
    bomb = packed(members(content) | {name: bytes(64 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    with pytest.raises(ArtifactError, match="compressed"):
        check(bomb, PATH)


def test_a_member_that_claims_to_be_larger_than_it_is_is_refused(content: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, file in members(content).items():
            archive.writestr(name, file)
        archive.getinfo("model.weights.h5").file_size = 1 << 30
    with pytest.raises(ArtifactError, match=r"model\.weights\.h5 is compressed"):
        check(buffer.getvalue(), PATH)


@pytest.mark.parametrize(("name", "size"), [("config.json", 2 << 20), ("metadata.json", 1 << 17)])
def test_an_absurdly_large_member_is_refused(name: str, size: int, content: bytes) -> None:
    files = members(content)
    with pytest.raises(ArtifactError, match=rf"{name} is too large"):
        check(packed(files | {name: files[name].ljust(size)}), PATH)


def test_an_encrypted_member_is_refused(content: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, file in members(content).items():
            archive.writestr(name, file)
        archive.getinfo("config.json").flag_bits |= 1
    with pytest.raises(ArtifactError, match="encrypted"):
        check(buffer.getvalue(), PATH)


def test_a_member_with_a_flipped_bit_is_refused(content: bytes) -> None:
    place = content.index(b'"Functional"')
    with pytest.raises(ArtifactError, match="CRC"):
        check(content[:place] + b"X" + content[place + 1 :], PATH)


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b"7", b"\xff\xfe", b"{}", b'{"class_name": "Sequential"}'])
def test_a_configuration_that_describes_no_network_is_refused(config: bytes, content: bytes) -> None:
    with pytest.raises(ArtifactError, match="is refused"):
        check(packed(members(content) | {"config.json": config}), PATH)


@pytest.mark.parametrize("config", [b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000])
def test_a_configuration_of_endless_depth_is_refused(config: bytes, content: bytes) -> None:
    with pytest.raises(ArtifactError, match="is refused"):
        check(packed(members(content) | {"config.json": config}), PATH)


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {"module": "keras.utils", "class_name": "get_file", "config": {}},
        {"module": "os", "class_name": "system", "config": "true"},
        {"module": None, "class_name": "Conv2D", "config": {}},
        {"class_name": "Conv2D", "config": {}},
        {"module": "keras.layers.", "class_name": "Conv2D", "config": {}},
        {"module": ["keras.layers"], "class_name": "Conv2D", "config": {}},
        {"module": "keras.layers", "class_name": ["Conv2D"], "config": {}},
        {"module": "keras.layers", "class_name": "Conv2D", "config": {}, "registered_name": "evil>Conv2D"},
    ],
    ids=str,
)
def test_anything_but_a_plain_layer_is_refused_by_name(layer: Config, content: bytes) -> None:
    with pytest.raises(ArtifactError, match="which is no plain layer"):
        check(with_config(content, with_layer(layer)), PATH)


@pytest.mark.parametrize(
    "value",
    [
        {"class_name": "__lambda__", "config": {"value": "4wE="}},
        {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
        {"class_name": "__tensor__", "config": {"value": [1.0], "dtype": "float32"}},
        [{"deeper": [{"class_name": "__numpy__", "config": {}}]}],
    ],
    ids=str,
)
def test_a_hostile_value_is_found_however_deep_it_lies(value: object, content: bytes) -> None:
    with pytest.raises(ArtifactError, match="which is no plain layer"):
        check(with_config(content, first_layer(activation=value)), PATH)


def test_a_folder_is_checked_as_a_worker_would(tmp_path: Path) -> None:
    folder = shutil.copytree(shipped_model(), tmp_path / "model")
    card = read_card(folder)
    check_folder(folder, card)
    with pytest.raises(ArtifactError, match="wants images prepared by version") as refused:
        check_folder(folder, dataclasses.replace(card, preprocessing_version=PREPROCESSING_VERSION + 1))
    assert refused.value.mend
    (folder / FAST).write_bytes(b"another")
    with pytest.raises(ArtifactError, match="SHA-256"):
        check_folder(folder, card)
    planted(folder, b"no archive")
    with pytest.raises(ArtifactError, match=r"fast\.keras is refused"):
        check_folder(folder, read_card(folder))


def test_checking_a_file_needs_neither_keras_nor_opencv() -> None:
    script = "import sys, classifier.keras_file; print([n for n in ('keras', 'cv2', 'numpy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_configuration_that_compiles_is_refused(content: bytes) -> None:
    def change(config: Config) -> None:
        config["config"]["layers"][1]["compile_config"] = {"optimizer": "adam"}

    with pytest.raises(ArtifactError, match="only training"):
        check(with_config(content, change), PATH)
