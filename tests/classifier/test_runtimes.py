"""Whatever runs a model's networks, it reads the same digits; LiteRT does so without TensorFlow, or says why it cannot."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import CARD, check_files, read_card, shipped_model, write_card
from classifier.keras_file import check_folder
from classifier.predict import Predictor
from core.errors import ArtifactError
from core.vocabulary import Runtime
from tests.classifier.spoilt import altered
from training.dataset import Digits

#: Share of the labels that must be Keras's.
LEAST_LABELS = {Runtime.LITERT: 0.9999, Runtime.LITERT_INT8: 0.999}
EXPORTED = tuple(LEAST_LABELS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model, to be spoilt."""
    return Path(shutil.copytree(shipped_model(), tmp_path / "model"))


@pytest.fixture(scope="module", params=EXPORTED)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each runtime that networks are exported to."""
    return Runtime(request.param)


@pytest.fixture(scope="module")
def exported(runtime: Runtime) -> Predictor:
    """The shipped model, run by it."""
    return Predictor(shipped_model(), batch_size=256, runtime=runtime)


def test_an_exported_model_reads_the_sample_digits_as_keras_does(
    runtime: Runtime, exported: Predictor, predictor: Predictor, digits: Digits
) -> None:
    wanted, found = predictor(digits.images), exported(digits.images)
    assert found.escalated.any()
    assert (found.labels == wanted.labels).mean() >= LEAST_LABELS[runtime]


def test_a_model_exported_in_single_precision_says_the_same_but_for_rounding(
    predictor: Predictor, digits: Digits
) -> None:
    exported = Predictor(shipped_model(), batch_size=100, runtime=Runtime.LITERT)
    wanted, found = predictor(digits.images[:1000]), exported(digits.images[:1000])
    assert np.array_equal(found.escalated, wanted.escalated)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-5)
    np.testing.assert_allclose(found.energies, wanted.energies, atol=1e-4)


def test_the_card_states_how_alike_an_exported_model_scores(
    runtime: Runtime, exported: Predictor, predictor: Predictor, digits: Digits
) -> None:
    wanted, found = predictor(digits.images), exported(digits.images)
    stated = exported.card.agreement[runtime]
    assert set(stated) == {"validation", "test"}
    assert (stated["validation"].images, stated["test"].images) == (5000, 10_000)
    # Processors round each in their own way, and a digit or two may stand on the edge.
    assert stated["test"].labels == pytest.approx((found.labels == wanted.labels).mean(), abs=2e-4)
    assert stated["test"].accuracy == pytest.approx((found.labels == digits.labels).mean(), abs=2e-4)
    assert stated["test"].energy == pytest.approx(np.abs(found.energies - wanted.energies).mean(), rel=0.2, abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257])
def test_any_number_of_images_is_scored_and_padding_changes_no_score(
    count: int, exported: Predictor, digits: Digits
) -> None:
    scores, whole = exported(digits.images[:count]), exported(digits.images[:512])
    assert len(scores) == count
    assert np.array_equal(scores.labels, whole.labels[:count])
    np.testing.assert_allclose(scores.probabilities, whole.probabilities[:count], atol=1e-6)
    assert exported.traces == 1


def test_scoring_by_litert_imports_neither_keras_nor_tensorflow(runtime: Runtime) -> None:
    script = (
        "import sys; import numpy as np; from classifier.artifact import shipped_model;"
        "from classifier.predict import Predictor, bind_to_one_thread; from classifier.readings import read;"
        f"from core.vocabulary import Runtime; runtime = Runtime({runtime.value!r}); bind_to_one_thread(runtime);"
        "predictor = Predictor(shipped_model(), batch_size=8, runtime=runtime);"
        "scores = predictor(np.zeros((3, 28, 28), np.uint8));"
        "read(scores, [[[1]], [[1]], [[1]]], predictor.card, 0.01);"
        "print(len(scores), [name for name in ('keras', 'tensorflow', 'h5py') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "3 []"


@pytest.mark.parametrize("place", [0, 1])
def test_a_changed_export_is_refused_by_name(folder: Path, runtime: Runtime, place: int) -> None:
    card = read_card(folder)
    file = folder / card.networks[place].exports[runtime].file
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    for door in (
        lambda: check_files(folder, card),
        lambda: check_folder(folder, card),
        lambda: Predictor(folder, batch_size=8, runtime=runtime),
    ):
        with pytest.raises(ArtifactError, match=rf"{file.name} .* SHA-256"):
            door()


def test_an_export_that_is_missing_is_refused_by_name(folder: Path, runtime: Runtime) -> None:
    file = folder / read_card(folder).fast.exports[runtime].file
    file.unlink()
    with pytest.raises(ArtifactError, match=f"{file.name} cannot be read"):
        Predictor(folder, batch_size=8, runtime=runtime)


@pytest.mark.parametrize("content", [b"", b"none of LiteRT's", "the first half"])
def test_an_export_that_is_no_network_is_refused(folder: Path, runtime: Runtime, content: bytes | str) -> None:
    card = read_card(folder)
    exported = card.fast.exports[runtime]
    file = folder / exported.file
    spoilt = file.read_bytes()[: file.stat().st_size // 2] if isinstance(content, str) else content
    planted(folder, runtime, spoilt)
    with pytest.raises(ArtifactError, match=f"{file.name} does not hold a network that reads digits"):
        Predictor(folder, batch_size=8, runtime=runtime)


def planted(folder: Path, runtime: Runtime, content: bytes) -> None:
    """Put another export of the fast network into a folder, and its hash into the card."""
    card = read_card(folder)
    exported = dataclasses.replace(card.fast.exports[runtime], sha256=hashlib.sha256(content).hexdigest())
    (folder / exported.file).write_bytes(content)
    fast = dataclasses.replace(card.fast, exports={**card.fast.exports, runtime: exported})
    write_card(folder, dataclasses.replace(card, fast=fast))


def test_a_model_that_was_not_exported_says_how_to_mend_it_and_still_scores_with_keras(
    folder: Path, runtime: Runtime, digits: Digits
) -> None:
    card = read_card(folder)
    networks = [dataclasses.replace(network, exports={}) for network in card.networks]
    write_card(folder, dataclasses.replace(card, fast=networks[0], careful=tuple(networks[1:]), agreement={}))
    with pytest.raises(ArtifactError, match=f"was not exported to the runtime {runtime}") as refused:
        Predictor(folder, batch_size=8, runtime=runtime)
    assert "digitline models export" in refused.value.mend
    assert "DIGITLINE_RUNTIME=keras" in refused.value.mend
    assert len(Predictor(folder, batch_size=8)(digits.images[:9])) == 9


def test_a_model_of_another_preprocessing_is_refused(folder: Path, runtime: Runtime) -> None:
    altered(folder, preprocessing_version=1)
    with pytest.raises(ArtifactError, match="prepared by version 1"):
        Predictor(folder, batch_size=8, runtime=runtime)


@pytest.mark.parametrize("file", ["../fast.tflite", "fast.keras", "fast.tflite.pkl", "/fast.tflite"])
def test_a_card_that_names_any_other_kind_of_export_is_refused(folder: Path, file: str) -> None:
    exports = {"litert": {"file": file, "sha256": "0" * 64}}
    altered(folder, fast={"exports": exports})
    with pytest.raises(ArtifactError, match=r"fast\.exports\.litert\.file"):
        read_card(folder)


def test_a_card_that_was_written_before_there_were_exports_is_read_as_one_without(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    del card["agreement"]
    for network in (card["fast"], *card["careful"]):
        del network["exports"]
    (folder / CARD).write_text(json.dumps(card))
    found = read_card(folder)
    assert found.agreement == {}
    assert found.files == found.networks
