"""The verbs about models: what may score, what let it, and what the challenger says."""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from classifier.artifact import model_sha256, read_card, shipped_model, write_card
from core import tables
from core.database import Database
from core.ledger import batches, corrected, corrections, jobs, models, promotions
from core.ledger.promotions import Kind
from core.ledger.shadows import Shadow
from core.settings import Settings, get_settings
from core.sources import to_url
from core.vocabulary import Job, Manifest, NewJob, QueueName, Trigger
from digitline.setup import register_folder
from tests.classifier.spoilt import altered, planted, with_config, with_layer
from tests.core.examples import create_job, outcome, register_model, take
from tests.digitline.conftest import Digitline
from tests.digits import digit_folder

MakeModel = Callable[[int], Path]

_FORCED = ("--force", "--reason", "the tests say so")

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """An evaluation set of class folders."""
    return digit_folder(tmp_path / "labelled", 300)


@pytest.fixture
def shipped(ledger: Database) -> str:
    """The shipped model, in production; its name."""
    model = register_folder(ledger, shipped_model(), get_settings())
    assert model.alias == models.PRODUCTION
    return model.name


@pytest.fixture
def untrained(ledger: Database, make_model: MakeModel) -> str:
    """A model that has learnt nothing; its name."""
    return register_folder(ledger, make_model(4), get_settings()).name


def in_production(ledger: Database) -> str:
    """Name of the model in production."""
    return models.find(ledger, models.PRODUCTION).name


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


def test_a_model_that_reads_worse_is_refused_with_a_table_of_the_digits(
    digitline: Digitline, ledger: Database, shipped: str, untrained: str, labelled: Path
) -> None:
    ended = digitline("models", "promote", untrained, "--on", str(labelled))
    assert ended.code == 1
    assert f"'{untrained}' reads worse than '{shipped}', beyond chance: " in ended.err
    assert "--force --reason TEXT" in ended.err
    lines = ended.out.splitlines()
    assert lines[0].split() == ["evaluation", "set", "images", "production", "candidate"]
    assert lines[1].split()[:2] == [str(labelled), "300"]
    digits = [line.split() for line in lines if line.startswith(str(labelled))][1:]
    assert [cells[1] for cells in digits] == [*map(str, range(10)), "all"]
    assert [cells[-1] for cells in digits[:10]].count("yes") >= 8
    assert digits[10][-1] == "yes"
    assert f"all digits of {labelled}" in ended.err
    assert in_production(ledger) == shipped
    assert len(promotions.history(ledger)) == 1


def test_a_refusal_as_json_says_what_was_measured(
    digitline: Digitline, shipped: str, untrained: str, labelled: Path
) -> None:
    ended = digitline("models", "promote", untrained, "--on", str(labelled), "--json")
    assert ended.code == 1
    refusal = json.loads(ended.out)
    assert refusal["promoted"] is False
    assert refusal["checks"]["production"]["name"] == shipped
    (measured,) = refusal["checks"]["sets"]
    assert measured["production_accuracy"] > 0.98
    assert measured["candidate_accuracy"] < 0.5
    assert sum(one["images"] for one in refusal["checks"]["classes"]) == measured["images"] == 300
    assert any(one["worse"] for one in refusal["checks"]["classes"])
    (together,) = refusal["checks"]["together"]
    assert (together["digit"], together["images"], together["worse"]) == (None, 300, True)


def test_a_model_that_reads_better_is_promoted_on_the_sets_of_the_settings(
    digitline: Digitline, ledger: Database, untrained: str, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digitline("models", "add", str(shipped_model()))
    assert in_production(ledger) == untrained
    monkeypatch.setenv("DIGITLINE_EVALUATION_SETS", str(labelled))
    get_settings.cache_clear()
    shipped = read_card(shipped_model()).name
    ended = digitline("models", "promote", shipped)
    assert (ended.code, in_production(ledger)) == (0, shipped)
    assert "scores every job submitted from now on" in ended.out
    noted = promotions.history(ledger)[-1].grounds
    assert (noted.kind, noted.reason) == (Kind.GATE, None)
    assert noted.checks is not None
    assert len(noted.checks["classes"]) == 10  # type: ignore[arg-type]


@pytest.mark.usefixtures("shipped")
def test_without_an_evaluation_set_nothing_is_promoted_and_the_error_says_how(
    digitline: Digitline, untrained: str
) -> None:
    ended = digitline("models", "promote", untrained)
    assert ended.code == 1
    assert f"There is no evaluation set to measure '{untrained}' on." in ended.err
    assert all(word in ended.err for word in ("--on DIR", "DIGITLINE_EVALUATION_SETS", "--force --reason TEXT"))


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("options", [["--force"], ["--force", "--reason", " "], ["--reason", "it is better"]])
def test_force_and_reason_need_each_other(
    digitline: Digitline, ledger: Database, untrained: str, options: list[str]
) -> None:
    assert digitline("models", "promote", untrained, *options).code == 2
    assert in_production(ledger) != untrained


@pytest.mark.usefixtures("shipped")
def test_an_evaluation_set_that_is_not_there_or_empty_is_named(
    digitline: Digitline, untrained: str, tmp_path: Path
) -> None:
    nowhere = digitline("models", "promote", untrained, "--on", str(tmp_path / "nowhere"))
    assert (nowhere.code, f"There is no evaluation set {tmp_path / 'nowhere'}" in nowhere.err) == (1, True)
    (tmp_path / "empty" / "3").mkdir(parents=True)
    empty = digitline("models", "promote", untrained, "--on", str(tmp_path / "empty"))
    assert (empty.code, "empty holds no image" in empty.err) == (1, True)


def test_where_the_model_in_production_cannot_be_measured_force_is_named(
    digitline: Digitline, make_model: MakeModel, labelled: Path, tmp_path: Path
) -> None:
    gone = shutil.copytree(make_model(1), tmp_path / "gone")
    digitline("models", "add", str(gone))
    digitline("models", "add", str(make_model(2)))
    shutil.rmtree(gone)
    ended = digitline("models", "promote", "model-2", "--on", str(labelled))
    assert ended.code == 1
    assert "'model-1' cannot be measured" in ended.err
    assert "--force --reason TEXT" in ended.err


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


def test_compare_shows_where_the_challenger_and_the_model_in_production_differ(
    digitline: Digitline, ledger: Database
) -> None:
    job = create_job(ledger, [4], labelled=True)
    challenger = models.challenge(ledger, register_model(ledger, "the other one"))
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    shadow = Shadow(challenger.id, [0, 1, 2, 8], [0.9, 0.9, 0.9, 0.6])
    batches.finish(ledger, lease, outcome(lease, labels=[0, 7, 2, 3]), shadow)
    shown = json.loads(digitline("models", "compare", "--json").out)
    assert (shown["production"]["name"], shown["challenger"]["name"]) == ("small", "the other one")
    assert (shown["images"], shown["alike"], shown["agreement"]) == (4, 2, 0.5)
    assert (shown["labelled"], shown["production_right"], shown["challenger_right"]) == (4, 3, 3)
    assert shown["differences"][1] == {
        "production": 7,
        "challenger": 1,
        "images": 1,
        "production_right": 0,
        "challenger_right": 1,
    }
    assert [(one["job_id"], one["path"]) for one in shown["disagreements"]] == [(1, "1/1.png"), (1, "1/3.png")]
    table = digitline("models", "compare", "--show", "1").out
    assert "2 (50.000%)" in table
    assert "3 and 3 of 4 labelled" in table
    assert table.splitlines()[-1].split() == ["1", "7", "0.7500", "1", "0.9000", "1", "scans", "1/1.png"]


@pytest.fixture
def reviewed(ledger: Database, shipped: str, labelled: Path) -> Job:
    """A job of the shipped model, whose ten images people have said the truth of."""
    assert shipped
    files = [min((labelled / str(digit)).iterdir()) for digit in range(10)]
    new = NewJob(
        "scans",
        to_url(labelled),
        [Manifest([f"{one.parent.name}/{one.name}" for one in files])],
        QueueName.EXPRESS,
        Trigger.CLI,
    )
    job = jobs.create(ledger, new)
    lease = take(ledger, batches.of_job(ledger, job.id)[0])
    found = outcome(lease)
    digests = [hashlib.sha256((labelled / one.path).read_bytes()).hexdigest() for one in found.predictions]
    scored = [one._replace(sha256=sha256) for one, sha256 in zip(found.predictions, digests, strict=True)]
    batches.finish(ledger, lease, dataclasses.replace(found, predictions=scored))
    for digit, one in enumerate(scored):
        corrections.record(ledger, job.id, one.path, digit, by="ada")
    return job


def test_two_models_read_the_reviewed_images_anew_and_what_people_said_is_true(
    digitline: Digitline, reviewed: Job, untrained: str
) -> None:
    ended = digitline("models", "compare", untrained, "--on-corrections", "--job", str(reviewed.id), "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert (found["images"], found["labelled"], found["learned"], found["missing"]) == (10, 10, 0, [])
    assert found["production_right"] == 10
    assert found["alike"] == found["challenger_right"] < 5
    assert sum(one["images"] for one in found["differences"]) == 10 - found["alike"]
    assert {one["true_label"] for one in found["disagreements"]} == {one["production"] for one in found["differences"]}


def test_images_that_a_model_learned_from_speak_neither_for_it_nor_against_it(
    digitline: Digitline, ledger: Database, reviewed: Job, untrained: str, labelled: Path
) -> None:
    learned = [one.sha256 for one in corrected.every(ledger, [reviewed.id])][:4]
    with ledger.begin() as connection:
        card = {**models.find(ledger, untrained).card, "corrections": learned}
        connection.execute(update(tables.models).where(tables.models.c.name == untrained).values(card=card))
    (labelled / list(corrected.every(ledger))[-1].path).unlink()
    ended = digitline("models", "compare", untrained, "--on-corrections", "--json")
    found = json.loads(ended.out)
    assert (found["images"], found["learned"], len(found["missing"])) == (5, 4, 1)
    refused = json.loads(digitline("models", "promote", untrained, "--on", str(labelled), "--json").out)
    (measured,) = refused["checks"]["sets"]
    assert (measured["images"], measured["learned"]) == (295, 4)


def test_comparing_needs_a_challenger(digitline: Digitline, ledger: Database) -> None:
    register_model(ledger)
    ended = digitline("models", "compare")
    assert ended.code == 1
    assert "No model is the challenger. `digitline models challenge MODEL` names one." in ended.err


def test_a_copy_of_the_model_in_production_passes_the_gate(
    digitline: Digitline, ledger: Database, shipped: str, labelled: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(shipped_model(), tmp_path / "copy")
    write_card(folder, dataclasses.replace(read_card(folder), name="copy"))
    digitline("models", "add", str(folder))
    assert in_production(ledger) == shipped
    assert digitline("models", "promote", "copy", "--on", str(labelled)).code == 0
    assert in_production(ledger) == "copy"


def test_a_set_that_could_refuse_no_model_is_named_with_what_it_needs(
    digitline: Digitline, ledger: Database, shipped: str, untrained: str, tmp_path: Path
) -> None:
    few = digit_folder(tmp_path / "few", 40)
    ended = digitline("models", "promote", untrained, "--on", str(few))
    assert ended.code == 1
    assert f"too few images to show that '{untrained}' reads no digit worse: " in ended.err
    fives = len(list((few / "5").iterdir()))
    assert f"{fives} of 5 in {few}" in ended.err
    assert "at least 9 images of each digit" in ended.err
    assert "--force --reason TEXT" in ended.err
    assert in_production(ledger) == shipped


@pytest.mark.usefixtures("shipped")
def test_digits_that_no_set_holds_are_named(digitline: Digitline, untrained: str, labelled: Path) -> None:
    shutil.rmtree(labelled / "7")
    ended = digitline("models", "promote", untrained, "--on", str(labelled))
    assert (ended.code, "reads no digit worse: no image of 7." in ended.err) == (1, True)


@pytest.mark.usefixtures("shipped")
def test_a_set_that_is_named_twice_is_measured_once(
    digitline: Digitline, untrained: str, labelled: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(labelled)
    named = [option for one in (labelled, tmp_path / "link", f"{labelled}/") for option in ("--on", str(one))]
    refusal = json.loads(digitline("models", "promote", untrained, *named, "--json").out)
    assert [one["name"] for one in refusal["checks"]["sets"]] == [str(labelled)]
    assert len(refusal["checks"]["classes"]) == 10


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


_LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
