"""The verb that makes a model, on class folders as a user has them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from classifier.artifact import read_card
from core.database import Database
from core.ledger import batches, corrections, jobs
from core.settings import Settings
from core.sources import to_url
from core.vocabulary import Job, Manifest, NewJob, QueueName, Trigger
from tests.core.examples import outcome, register_model, take
from tests.digitline.conftest import Digitline
from tests.digits import digit_folder
from tests.processes import PATIENCE, running
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("home")

RECIPE = """
[fast]
architecture = "cnn-xs"
epochs = 4
batch_size = 32
ema_momentum = 0.9
patience = 0
"""


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> Path:
    """Sample digits in class folders, named `digits`, and a recipe, in the working folder."""
    (tmp_path / "quick.toml").write_text(RECIPE)
    return digit_folder(tmp_path / "digits", 600)


QUICK = ("train", "--data", "digits", "--recipe", "quick.toml", "--output", "mine")


def test_a_model_is_trained_by_a_recipe_and_its_card_tells_how_to_do_it_again(
    digitline: Digitline, tmp_path: Path
) -> None:
    ended = digitline(*QUICK, "--epochs", "1", "--seed", "5", "--json")
    assert ended.code == 0, ended.err
    card = read_card(tmp_path / "mine")
    assert json.loads(ended.out)["name"] == card.name == "mine"
    assert card.fast.recipe["seed"] == 5
    assert card.fast.recipe["epochs"] == 1
    assert card.command == ("digitline train --data DIR --output DIR --recipe quick --epochs 1 --seed 5")


@pytest.mark.timeout(300)
def test_a_killed_training_goes_on_when_the_same_command_is_given_again(home: Settings, tmp_path: Path) -> None:
    kept = tmp_path / "mine" / ".training" / "fast.npz"
    with running(home, *QUICK, "--epochs", "60", log=tmp_path / "first.log") as training:
        wait_until(kept.exists, "an epoch is over", PATIENCE)
        training.kill()
    with np.load(kept) as file:
        before = json.loads(str(file["facts"]))["history"]
    shutil.copy(kept, tmp_path / "copy.npz")

    with running(home, *QUICK, "--epochs", "60", log=tmp_path / "second.log") as training:
        assert wait_until(lambda: training.exit_code is not None, "the training ends", PATIENCE)
        assert training.exit_code == 0, training.output
    card = read_card(tmp_path / "mine")
    assert len(card.fast.history["loss"]) == 60
    assert list(card.fast.history["seconds"][: len(before["seconds"])]) == before["seconds"]
    assert not kept.exists()


@pytest.mark.timeout(300)
def test_a_deterministic_training_makes_the_same_bytes_every_time(home: Settings, tmp_path: Path) -> None:
    for name in ("one", "other"):
        command = ("train", "--data", "digits", "--recipe", "quick.toml", "--deterministic", "--output", name)
        with running(home, *command, log=tmp_path / f"{name}.log") as training:
            assert wait_until(lambda: training.exit_code is not None, "the training ends", PATIENCE)
            assert training.exit_code == 0, training.output
    assert (tmp_path / "one" / "fast.keras").read_bytes() == (tmp_path / "other" / "fast.keras").read_bytes()


def test_a_model_folder_that_has_no_name_of_its_own_gets_that_of_the_folder_it_is(
    digitline: Digitline, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "mine.txt").write_text("a user's own")
    ended = digitline("train", "--data", "digits", "--recipe", "quick.toml", "--epochs", "1", "--output", ".")
    assert ended.code == 0, ended.err
    assert read_card(tmp_path).name == tmp_path.name
    assert (tmp_path / "checkpoints" / "mine.txt").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--seed", "-1"), "--seed"),
        (("--output", "quick.toml/model"), "--output"),
        (("--tensorboard", "quick.toml/log"), "--tensorboard"),
        (("--architecture", "nonsense"), "nonsense"),
        (("--recipe", "missing.toml"), "missing.toml"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(
    digitline: Digitline, options: tuple[str, ...], named: str
) -> None:
    ended = digitline(*QUICK, *options)
    assert ended.code in (1, 2)
    assert named in ended.err


def test_a_recipe_and_a_trial_are_not_taken_together(digitline: Digitline) -> None:
    ended = digitline(*QUICK, "--from-trial", "tuning:3")
    assert ended.code == 1
    assert "Leave one of them out" in ended.err


def job_of(ledger: Database, folder: Path, paths: list[str]) -> Job:
    """A job of these images, scored as 0, 1, 2 and so on."""
    new = NewJob("scans", to_url(folder), [Manifest(paths, None)], QueueName.EXPRESS, Trigger.SCRIPT)
    register_model(ledger)
    created = jobs.create(ledger, new)
    lease = take(ledger, batches.of_job(ledger, created.id)[0])
    found = outcome(lease)
    read = [one._replace(sha256=sha256_of(folder / one.path)) for one in found.predictions]
    batches.finish(ledger, lease, dataclasses.replace(found, predictions=read))
    return created


def sha256_of(file: Path) -> str:
    """Of the file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def scans(tmp_path: Path, data: Path) -> Path:
    """Three images that are in no set of digits: fours seen in a mirror."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for place, image in enumerate(sorted((data / "4").iterdir())[:3]):
        cv2.imwrite(str(folder / f"{place}.png"), cv2.flip(cv2.imread(str(image)), 1))
    return folder


@pytest.fixture
def job(ledger: Database, scans: Path) -> Job:
    """A job of those images."""
    return job_of(ledger, scans, sorted(file.name for file in scans.iterdir()))


def test_images_that_a_person_reviewed_are_learned_from_and_the_card_says_which(
    digitline: Digitline, job: Job, scans: Path, tmp_path: Path
) -> None:
    assert digitline("correct", str(job.id), "0.png", "4").out == f"0.png of job {job.id} shows 4, not 0.\n"
    assert digitline("correct", str(job.id), "1.png", "not_a_digit").out.endswith("shows no digit, not 1.\n")
    assert digitline("correct", str(job.id), "2.png", "several").code == 0
    ended = digitline(*QUICK, "--epochs", "1", "--with-corrections", "--job", "scans", "--corrections-weight", "3")
    assert ended.code == 0, ended.err
    card = read_card(tmp_path / "mine")
    assert card.command.endswith("--with-corrections --job scans --corrections-weight 3")
    assert set(card.corrections) == {sha256_of(scans / name) for name in ("0.png", "1.png")}
    assert "2 reviewed images" in ended.out


def test_what_measures_a_model_is_not_learned_from_though_people_reviewed_it(
    digitline: Digitline, ledger: Database, data: Path, tmp_path: Path
) -> None:
    fours = sorted((data / "4").iterdir())
    job = job_of(ledger, data, [image.relative_to(data).as_posix() for image in fours])
    for image in fours:
        corrections.record(ledger, job.id, f"4/{image.name}", 4, by="ada")
    ended = digitline(*QUICK, "--epochs", "1", "--with-corrections")
    assert ended.code == 0, ended.err
    learned = set(read_card(tmp_path / "mine").corrections)
    # Of 600 digits a sixth is for the report, and a fifth of the rest to choose by; so of 67 fours, 11 and 11.
    assert len(learned) == len(fours) - 22 == 45
    assert learned < {sha256_of(image) for image in fours}


def test_a_reviewed_image_that_is_gone_or_has_changed_is_left_out_by_name(
    digitline: Digitline, job: Job, scans: Path
) -> None:
    for name in ("0.png", "1.png", "2.png"):
        digitline("correct", str(job.id), name, "4")
    (scans / "0.png").unlink()
    (scans / "1.png").write_bytes((scans / "2.png").read_bytes())
    ended = digitline(*QUICK, "--epochs", "1", "--with-corrections", "--job", str(job.id))
    assert ended.code == 0, ended.err
    assert "Left out: 0.png: " in ended.err
    assert "Left out: 1.png: The file has changed since it was scored." in ended.err
    assert "2.png" not in ended.err


def test_corrections_of_a_job_that_has_none_are_missed_by_name(digitline: Digitline, job: Job) -> None:
    ended = digitline(*QUICK, "--with-corrections", "--job", str(job.id))
    assert ended.code == 1
    assert f"No image of job {job.id} has been reviewed" in ended.err


def test_options_of_corrections_go_with_corrections(digitline: Digitline) -> None:
    assert "--with-corrections" in digitline(*QUICK, "--job", "3").err
