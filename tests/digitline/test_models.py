"""The verbs about models: what may score, what let it, and who challenges it."""

from __future__ import annotations

import getpass
import json
import shutil
from pathlib import Path

import pytest

from classifier.artifact import model_sha256
from core.database import Database
from core.ledger import models
from core.settings import Settings, get_settings
from digitline.setup import register_folder
from tests.classifier.spoilt import altered, planted, with_config, with_layer
from tests.digitline.conftest import Digitline, MakeModel, in_production

_FORCED = ("--force", "--reason", "the tests say so")
_LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {}}

pytestmark = pytest.mark.usefixtures("home")


def test_models_are_added_promoted_and_rolled_back(digitline: Digitline, make_model: MakeModel) -> None:
    first, second = make_model(1), make_model(2)
    assert json.loads(digitline("models", "add", str(first), "--json").out)["alias"] == "production"
    assert "is known" in digitline("models", "add", str(second)).out
    assert "scores every job" in digitline("models", "promote", second.name, *_FORCED).out
    listed = json.loads(digitline("models", "list", "--json").out)["models"]
    assert [(model["name"], model["alias"]) for model in listed] == [(second.name, "production"), (first.name, None)]
    assert listed[0]["test_accuracy"] == 0.25
    assert listed[0]["sha256"] == model_sha256(second)
    assert listed[0]["card"]["fast"]["architecture"] == "cnn-s"
    assert json.loads(digitline("models", "rollback", "--json").out)["name"] == first.name
    assert json.loads(digitline("models", "promote", "2", *_FORCED, "--json").out)["name"] == second.name
    table = digitline("models", "list").out
    assert "25.00%" in table
    assert str(first) in table


def test_a_rollback_needs_no_measuring_and_is_noted(
    digitline: Digitline, ledger: Database, make_model: MakeModel
) -> None:
    for seed in (1, 2):
        digitline("models", "add", str(make_model(seed)))
    digitline("models", "promote", "model-2", *_FORCED)
    assert "as it did before" in digitline("models", "rollback").out
    assert in_production(ledger) == "model-1"
    noted = json.loads(digitline("models", "list", "--json").out)["promotions"]
    assert [(one["model"], one["kind"], one["reason"]) for one in noted] == [
        (1, "first", None),
        (2, "forced", "the tests say so"),
        (1, "rollback", None),
    ]
    assert {one["promoted_by"] for one in noted} == {getpass.getuser()}


def test_there_is_nothing_to_roll_back_to_at_first(digitline: Digitline, model_folder: Path) -> None:
    digitline("models", "add", str(model_folder))
    assert "No model was in production before" in digitline("models", "rollback").err


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("options", [["--force"], ["--force", "--reason", " "], ["--reason", "it is better"]])
def test_force_and_reason_need_each_other(
    digitline: Digitline, ledger: Database, untrained: str, options: list[str]
) -> None:
    assert digitline("models", "promote", untrained, *options).code == 2
    assert in_production(ledger) != untrained


def test_promoting_the_model_in_production_says_that_it_is(digitline: Digitline, shipped: str) -> None:
    ended = digitline("models", "promote", shipped)
    assert (ended.code, "is in production already" in ended.out) == (0, True)


@pytest.mark.parametrize("file", ["fast.keras", "card.json"])
def test_a_model_whose_folder_changed_is_not_promoted_and_no_challenger(
    digitline: Digitline, model_folder: Path, make_model: MakeModel, tmp_path: Path, file: str
) -> None:
    digitline("models", "add", str(model_folder))
    folder = shutil.copytree(make_model(4), tmp_path / "changing")
    digitline("models", "add", str(folder))
    with (folder / file).open("ab") as changed:
        changed.write(b" ")
    for ended in (
        digitline("models", "promote", "model-4", *_FORCED),
        digitline("models", "challenge", "model-4"),
    ):
        assert ended.code == 1
        assert "SHA-256" in ended.err


def test_a_model_whose_networks_are_not_those_of_its_card_is_not_added(
    digitline: Digitline, model_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "changed")
    with (folder / "fast.keras").open("ab") as network:
        network.write(b"x")
    ended = digitline("models", "add", str(folder))
    assert (ended.code, "its SHA-256 differs" in ended.err) == (1, True)
    assert json.loads(digitline("models", "list", "--json").out)["models"] == []


@pytest.mark.parametrize("place", ["inbox", "claimed", "done"])
def test_a_model_that_was_dropped_like_an_image_is_not_added(
    digitline: Digitline, home: Settings, model_folder: Path, place: str
) -> None:
    folder = shutil.copytree(model_folder, home.home_folder / place / "model")
    ended = digitline("models", "add", str(folder))
    assert ended.code == 1
    assert "lies where people drop their images" in ended.err


def test_a_challenger_is_named_and_taken_back(digitline: Digitline, shipped: str, untrained: str) -> None:
    named = digitline("models", "challenge", untrained, "--share", "0.25")
    assert (named.code, "scores 0.25 of the batches in the shadow" in named.out) == (0, True)
    listed = {one["name"]: one for one in json.loads(digitline("models", "list", "--json").out)["models"]}
    assert (listed[untrained]["alias"], listed[untrained]["challenger_share"]) == ("challenger", 0.25)
    assert "scores 0.1 of the batches" in digitline("models", "challenge", untrained).out
    assert digitline("models", "challenge", "--none").out == "No model is the challenger.\n"
    assert digitline("models", "compare").code == 1
    assert "cannot be its own challenger" in digitline("models", "challenge", shipped).err


@pytest.mark.parametrize("options", [[], ["some", "--none"], ["some", "--share", "1.5"]])
def test_a_challenge_without_sense_is_a_usage_error(digitline: Digitline, options: list[str]) -> None:
    assert digitline("models", "challenge", *options).code == 2


def test_a_model_that_this_version_cannot_load_is_not_added(
    digitline: Digitline, make_model: MakeModel, tmp_path: Path
) -> None:
    folder = shutil.copytree(make_model(4), tmp_path / "another")
    altered(folder, preprocessing_version=99)
    ended = digitline("models", "add", str(folder))
    assert (ended.code, "wants images prepared by version 99" in ended.err) == (1, True)
    hostile = shutil.copytree(make_model(4), tmp_path / "hostile")
    planted(hostile, with_config((hostile / "fast.keras").read_bytes(), with_layer(_LAMBDA)))
    ended = digitline("models", "add", str(hostile))
    assert (ended.code, "keras.layers.Lambda, which is no plain layer" in ended.err) == (1, True)
    assert json.loads(digitline("models", "list", "--json").out)["models"] == []


def test_a_model_that_this_version_cannot_load_is_not_promoted_challenged_or_rolled_back_to(
    digitline: Digitline, ledger: Database, shipped: str, make_model: MakeModel, tmp_path: Path
) -> None:
    folder = shutil.copytree(make_model(4), tmp_path / "another")
    altered(folder, preprocessing_version=99)
    other = register_folder(ledger, folder, get_settings())
    present = models.find(ledger, models.PRODUCTION)
    commands: list[tuple[str, ...]] = [("promote", "model-4", *_FORCED), ("challenge", "model-4")]
    for command in commands:
        ended = digitline("models", *command)
        assert (ended.code, "wants images prepared by version 99" in ended.err) == (1, True)
    models.promote(ledger, other)
    models.promote(ledger, present)
    ended = digitline("models", "rollback")
    assert (ended.code, "wants images prepared by version 99" in ended.err) == (1, True)
    assert in_production(ledger) == shipped


def test_adding_a_copy_says_which_folder_is_used(
    digitline: Digitline, ledger: Database, model_folder: Path, tmp_path: Path
) -> None:
    assert f"read from {model_folder}." in digitline("models", "add", str(model_folder)).out
    copy = shutil.copytree(model_folder, tmp_path / "copy")
    assert f"read from {model_folder}." in digitline("models", "add", str(copy)).out
    assert models.find(ledger, models.PRODUCTION).location == str(model_folder)
