"""The verbs that compare methods and search for recipes, on class folders as a user has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.settings import Settings
from tests.digitline.conftest import Digitline
from tests.digits import digit_folder
from tests.processes import PATIENCE, running
from tests.waiting import wait_until
from training import study as studies
from training.tune import Trial, ranked

pytestmark = pytest.mark.usefixtures("home")

_QUICK = ("--data", "digits", "--epochs", "1", "--architectures", "cnn-xs", "--batch-sizes", "64")


@pytest.fixture(autouse=True)
def digits(tmp_path: Path) -> Path:
    """Sample digits in class folders, named `digits` in the working folder."""
    return digit_folder(tmp_path / "digits", 300)


@pytest.mark.timeout(400)
def test_a_killed_search_ends_with_the_trials_asked_for_and_the_first_one_is_the_same(
    home: Settings, tmp_path: Path
) -> None:
    folder = home.home_folder / "tuning"
    call = ("tune", *_QUICK, "--trials", "3", "--json")

    def finished() -> list[Trial]:
        return ranked(studies.read(folder)) if _has_a_study(folder) else []

    with running(home, *call, log=tmp_path / "first.log") as search:
        wait_until(finished, "a trial is finished", PATIENCE)
        search.kill()
    first = min(finished(), key=lambda trial: trial.number)
    assert len(finished()) < 3

    with running(home, *call, log=tmp_path / "second.log") as search:
        assert wait_until(lambda: search.exit_code is not None, "the search ends", PATIENCE)
        assert search.exit_code == 0, search.output
        printed = json.loads(search.output.splitlines()[-1])

    trials = finished()
    assert [trial.state for trial in trials] == ["complete"] * 3
    assert first in trials
    assert printed["trials"] == [trial.as_dict() for trial in trials]
    assert set(printed["figures"]) == {file.name for file in folder.glob("*.*g")}


def _has_a_study(folder: Path) -> bool:
    """Whether the study itself, which is the first line, is written already."""
    journal = folder / studies.JOURNAL
    return journal.exists() and b"\n" in journal.read_bytes()


def test_a_search_prints_its_best_trials_and_where_they_are_kept(digitline: Digitline, home: Settings) -> None:
    space = ("--dropout", "0.1", "0.2", "--learning-rate", "0.001", "0.001")
    ended = digitline("tune", *_QUICK, *space, "--trials", "1", "--minutes", "60")
    assert ended.code == 0, ended.err
    assert "cnn-xs" in ended.out
    assert "1.00e-03" in ended.out
    assert f"digitline train --from-trial {home.home_folder / 'tuning'}" in ended.out
    assert (home.home_folder / "tuning" / "history.png").is_file()


def test_a_search_of_other_options_in_the_same_folder_is_refused(digitline: Digitline) -> None:
    assert digitline("tune", *_QUICK, "--minutes", "0").code == 0
    ended = digitline("tune", *_QUICK, "--seed", "4", "--minutes", "0")
    assert ended.code == 1
    assert "has other seed: 3, not 4. Give the same options as before" in ended.err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--batch-sizes", "64,many"], "'64,many' is no list of batch sizes"),
        (["--architectures", "cnn-s,cnn-xxl"], "There is no architecture 'cnn-xxl'"),
        (["--learning-rate", "0.1", "0.01"], "A learning rate from 0.1 to 0.01 makes no sense"),
    ],
)
def test_options_that_make_no_sense_are_named_before_anything_is_made(
    digitline: Digitline, home: Settings, options: list[str], named: str
) -> None:
    ended = digitline("tune", "--data", "digits", *options)
    assert (ended.code, ended.out) == (1, "")
    assert named in ended.err
    assert not (home.home_folder / "tuning").exists()


@pytest.mark.parametrize(("verb", "option"), [("tune", "--output"), ("compare", "--output")])
def test_a_folder_that_cannot_be_written_to_is_named_before_hours_of_work(
    digitline: Digitline, tmp_path: Path, verb: str, option: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    ended = digitline(verb, "--data", "digits", option, "file")
    assert ended.code == 1
    assert ended.err.startswith("digitline: file cannot be written to")
    assert f"Name another folder with {option}." in ended.err


def test_methods_are_compared_and_the_comparison_is_kept(digitline: Digitline, home: Settings) -> None:
    ended = digitline("compare", "--data", "digits", "--epochs", "1", "--json")
    assert ended.code == 0, ended.err
    compared = json.loads(ended.out)
    assert [row["name"] for row in compared["rows"]] == ["CNN", "MLP", "SVM (RBF)", "random forest", "k-NN"]
    assert compared["seed"] == 3
    folder = home.home_folder / "comparison"
    assert sorted(compared["files"]) == sorted(file.name for file in folder.iterdir())


def test_a_comparison_is_printed_as_a_table(digitline: Digitline, tmp_path: Path) -> None:
    ended = digitline("compare", "--data", "digits", "--epochs", "1", "--output", "kept")
    header = ended.out.splitlines()[0].split("  ")
    assert [title.strip() for title in header if title.strip()] == [
        "method", "accuracy", "macro precision", "macro recall", "macro F1", "trained in", "images/s", "size",
    ]  # fmt: skip
    assert "Trained on 200 digits, measured on 50 others." in ended.out
    assert (tmp_path / "kept" / "comparison.html").is_file()
