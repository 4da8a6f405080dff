"""A card is read as it was written, or refused by name; it says above which confidence a label is sure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import (
    CARD,
    FAST,
    PREPROCESSING_VERSION,
    Card,
    Network,
    RiskPoint,
    check_files,
    model_sha256,
    read_card,
    shipped_model,
    write_card,
)
from core.errors import ArtifactError
from tests.classifier.spoilt import altered


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model, to be spoilt."""
    return Path(shutil.copytree(shipped_model(), tmp_path / "model"))


def careful_network(file: str) -> dict[str, object]:
    """A careful network as the card's JSON has it."""
    return dataclasses.asdict(dataclasses.replace(read_card(shipped_model()).fast, file=file))


def test_the_shipped_card_is_complete() -> None:
    card = read_card(shipped_model())
    assert card.name == shipped_model().name
    assert card.classes == tuple("0123456789")
    assert card.preprocessing_version == PREPROCESSING_VERSION
    assert card.command.startswith("digitline train")
    assert set(card.data_sha256) == {"train-images", "train-labels", "test-images", "test-labels"}
    assert set(card.versions) == {"digitline", "keras", "tensorflow", "numpy", "opencv"}
    for network in card.networks:
        assert network.parameters > 0
        assert network.megaflops > 0
        assert isinstance(network.recipe["seed"], int)
        assert len(set(map(len, network.history.values()))) == 1
    for evaluation, images in ((card.validation, 5000), (card.test, 10_000)):
        assert evaluation["images"] == images
        assert sum(map(sum, evaluation["confusion_matrix"])) == images


def test_the_shipped_risk_is_that_of_the_validation_images() -> None:
    card = read_card(shipped_model())
    matrix = np.array(card.validation["confusion_matrix"])
    wrong = int(matrix.sum() - matrix.trace())
    assert card.risk[0].above == 0.5
    assert card.risk[0].coverage > 0.99
    assert card.risk[0].error_bound > wrong / matrix.sum()
    coverages = [point.coverage for point in card.risk]
    assert coverages == sorted(coverages, reverse=True)


def test_at_the_default_target_the_shipped_model_is_sure_of_almost_all_digits() -> None:
    card = read_card(shipped_model())
    above = card.confident_above(0.005)
    (point,) = [point for point in card.risk if point.above == above] or card.risk[:1]
    assert point.coverage >= 0.99


def test_the_shipped_folder_names_no_path_of_the_machine_it_was_made_on() -> None:
    text = (shipped_model() / CARD).read_text()
    assert "/" not in text.replace("train-", "")


def test_the_shipped_folder_is_small_and_holds_nothing_else() -> None:
    names = {one.file for one in read_card(shipped_model()).files} | {CARD}
    assert {path.name for path in shipped_model().iterdir()} == names
    assert sum((shipped_model() / name).stat().st_size for name in names) < 30_000_000


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    card = read_card(shipped_model())
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card
    assert [path.name for path in tmp_path.iterdir()] == [CARD]


def test_the_identity_of_a_model_is_the_hash_of_its_card(folder: Path) -> None:
    assert model_sha256(folder) == hashlib.sha256((folder / CARD).read_bytes()).hexdigest()
    before = model_sha256(folder)
    altered(folder, fast={"sha256": "0" * 64})
    assert model_sha256(folder) != before


def test_a_card_is_read_only_where_it_is_the_one_that_is_wanted(folder: Path) -> None:
    wanted = model_sha256(folder)
    assert read_card(folder, sha256=wanted) == read_card(folder)
    altered(folder, temperature=2.0)
    with pytest.raises(ArtifactError, match="another model") as refused:
        read_card(folder, sha256=wanted)
    assert refused.value.mend


def test_a_flipped_bit_in_a_network_is_refused(folder: Path) -> None:
    check_files(folder, read_card(folder))
    content = bytearray((folder / FAST).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / FAST).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{FAST} .* SHA-256"):
        check_files(folder, read_card(folder))


def test_a_careful_network_that_is_missing_or_another_is_refused(folder: Path) -> None:
    altered(folder, careful=[careful_network("careful-9.keras")])
    with pytest.raises(ArtifactError, match=r"careful-9\.keras cannot be read"):
        check_files(folder, read_card(folder))
    shutil.copyfile(folder / CARD, folder / "careful-9.keras")
    with pytest.raises(ArtifactError, match=r"careful-9\.keras .* SHA-256"):
        check_files(folder, read_card(folder))


@pytest.mark.parametrize("name", [CARD, FAST])
@pytest.mark.timeout(20)
def test_a_file_that_never_ends_is_not_read(folder: Path, name: str) -> None:
    card = read_card(folder)
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()):
        path = folder / name
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        with pytest.raises(ArtifactError, match=f"{name} is no file"):
            check_files(folder, card if name == FAST else read_card(folder))


@pytest.mark.parametrize("size", [1 << 40, (256 << 20) + 1])
def test_a_file_that_is_far_too_large_is_not_read(folder: Path, size: int) -> None:
    with (folder / FAST).open("r+b") as file:
        file.truncate(size)
    with pytest.raises(ArtifactError, match="256 MiB"):
        check_files(folder, read_card(folder))


@pytest.mark.parametrize("file", ["model.weights.h5", "fast.h5", "fast.pkl", "fast", "fast.keras.h5", ".keras"])
def test_a_card_that_names_any_other_kind_of_file_is_refused(folder: Path, file: str) -> None:
    altered(folder, fast={"file": file})
    with pytest.raises(ArtifactError, match=r"is no \.keras file") as refused:
        read_card(folder)
    assert file in str(refused.value)


@pytest.mark.parametrize(
    "file", ["../fast.keras", "/tmp/fast.keras", "a/b.keras", "..keras", "fast\n.keras", "fäst.keras", "-.keras"]
)
def test_a_card_that_leads_out_of_its_folder_is_refused(folder: Path, file: str) -> None:
    altered(folder, fast={"file": file})
    with pytest.raises(ArtifactError, match=r"fast\.file: .* is no (plain file name|\.keras file)"):
        read_card(folder)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"fast": {"sha256": "short"}}, "fast.sha256"),
        ({"fast": {"architecture": ["cnn-s"]}}, "fast.architecture"),
        ({"fast": {"history": "none"}}, "fast.history"),
        ({"fast": {"surprise": 1}}, "fast.surprise"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"careful_temperature": -1}, "careful_temperature"),
        ({"escalate_below": 1.5}, "escalate_below"),
        ({"careful": [], "escalate_below": 0.5}, "escalate_below asks for careful networks"),
        ({"classes": list("1023456789")}, "classes are 1, 0, 2"),
        ({"classes": list("012345678")}, "classes are 0, 1, 2"),
        ({"surprise": 1}, "surprise"),
        ({"weights_sha256": "0" * 64}, "weights_sha256"),
        ({"risk": [{"above": 0, "coverage": 2, "error_bound": 0}]}, "risk.0.coverage"),
        ({"risk": [{"above": 0.5, "coverage": 1, "error_bound": 0}] * 2}, "the risk points do not ascend"),
    ],
    ids=str,
)
def test_a_card_with_a_value_that_cannot_be_is_refused(folder: Path, values: dict[str, object], place: str) -> None:
    altered(folder, **values)
    with pytest.raises(ArtifactError, match=place):
        read_card(folder)


def test_two_networks_in_one_file_are_refused(folder: Path) -> None:
    altered(folder, careful=[careful_network(FAST)])
    with pytest.raises(ArtifactError, match="two networks have one file"):
        read_card(folder)


@pytest.mark.parametrize("name", ["temperature", "fast", "risk"])
def test_a_card_that_lacks_a_value_is_refused(folder: Path, name: str) -> None:
    card = json.loads((folder / CARD).read_text())
    del card[name]
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ArtifactError, match=name):
        read_card(folder)


def test_a_card_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / CARD).write_text("{")
    with pytest.raises(ArtifactError, match="damaged"):
        read_card(folder)


def test_a_missing_card_is_named_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=CARD) as refused:
        read_card(tmp_path)
    assert refused.value.mend
    with pytest.raises(ArtifactError, match=CARD):
        model_sha256(tmp_path)


@pytest.mark.parametrize(
    ("target", "above"),
    [
        (0.05, 0.5),  # the points at and below 0.5 would do; what is less likely than the rest is never sure
        (0.02, 0.5),  # the risk above 0.4 is that above 0.5: no wrong label lies between
        (0.0199, 0.7),
        (0.01, 0.7),
        (0.005, 0.9),
        (0.004, 1.0),  # few images lie above 0.99, and they prove little
    ],
)
def test_the_target_error_becomes_the_smallest_confidence_that_keeps_it(target: float, above: float) -> None:
    points = ((0.0, 0.03), (0.4, 0.02), (0.7, 0.01), (0.9, 0.005), (0.99, 0.3))
    risk = tuple(RiskPoint(above, 1 - above, bound) for above, bound in points)
    assert dataclasses.replace(read_card(shipped_model()), risk=risk).confident_above(target) == above


def test_without_a_risk_point_no_label_is_sure() -> None:
    card = read_card(shipped_model())
    assert dataclasses.replace(card, risk=()).confident_above(0.999) == 1.0
    high = (RiskPoint(0.8, 0.5, 0.001),)
    assert dataclasses.replace(card, risk=high).confident_above(0.999) == 0.8


def test_a_card_counts_what_its_networks_cost() -> None:
    card = read_card(shipped_model())
    small = Network("careful-1.keras", "0" * 64, "cnn-xs", parameters=10, megaflops=3.0, recipe={}, history={})
    cascade = dataclasses.replace(card, careful=(small, dataclasses.replace(small, file="careful-2.keras")))
    assert [network.file for network in cascade.networks] == ["fast.keras", "careful-1.keras", "careful-2.keras"]
    assert cascade.parameters == card.fast.parameters + 20
    assert cascade.megaflops == card.fast.megaflops


def test_reading_and_checking_a_model_needs_neither_keras_nor_opencv() -> None:
    script = (
        "import sys; from classifier.artifact import check_files, model_sha256, read_card, shipped_model;"
        "check_files(shipped_model(), read_card(shipped_model())); model_sha256(shipped_model());"
        "print([name for name in ('keras', 'tensorflow', 'cv2', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_card_is_a_value() -> None:
    card = read_card(shipped_model())
    assert isinstance(card, Card)
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.temperature = 2.0  # type: ignore[misc]
