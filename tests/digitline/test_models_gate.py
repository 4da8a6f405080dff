"""A model is promoted once it reads no digit worse than the one in production, on sets that could tell."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from classifier.artifact import read_card, shipped_model, write_card
from core.database import Database
from core.ledger import promotions
from core.ledger.promotions import Kind
from core.settings import get_settings
from tests.digitline.conftest import Digitline, MakeModel, in_production
from tests.digits import digit_folder

pytestmark = pytest.mark.usefixtures("home")


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
