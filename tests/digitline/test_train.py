"""The verb that makes a model, on class folders as a user has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from classifier.artifact import read_card
from core.database import Database
from core.ledger import batches, jobs
from core.settings import Settings
from core.sources import to_url
from core.vocabulary import Job, Manifest, NewJob, QueueName, Trigger
from digitline import client
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


@pytest.fixture
def job(ledger: Database, data: Path) -> Job:
    """A job of three images of fours, scored as 0, 1 and 2."""
    paths = [image.relative_to(data).as_posix() for image in sorted((data / "4").iterdir())[:3]]
    new = NewJob("scans", to_url(data), [Manifest(paths, None)], QueueName.EXPRESS, Trigger.SCRIPT)
    register_model(ledger)
    created = jobs.create(ledger, new)
    lease = take(ledger, batches.of_job(ledger, created.id)[0])
    batches.finish(ledger, lease, outcome(lease, labels=[0, 1, 2]))
    return created


def test_images_that_a_person_corrected_are_learned_from(digitline: Digitline, job: Job, tmp_path: Path) -> None:
    path = next(iter(client.job(job.id).results())).path
    assert digitline("correct", str(job.id), path, "4").out == f"{path} of job {job.id} shows 4, not 0.\n"
    ended = digitline(*QUICK, "--epochs", "1", "--corrections", "scans", "--own-weight", "3")
    assert ended.code == 0, ended.err
    assert read_card(tmp_path / "mine").command.endswith("--corrections scans --own-weight 3")


def test_a_corrected_image_that_cannot_be_read_any_more_is_left_out_by_name(
    digitline: Digitline, job: Job, data: Path
) -> None:
    gone, there = (result.path for result in list(client.job(job.id).results())[:2])
    for path in (gone, there):
        digitline("correct", str(job.id), path, "4")
    (data / gone).unlink()
    ended = digitline("train", "--data", "digits", *QUICK[3:], "--epochs", "1", "--corrections", str(job.id))
    assert ended.code == 0, ended.err
    assert gone in ended.err
    assert there not in ended.err


def test_corrections_of_a_job_that_has_none_are_missed_by_name(digitline: Digitline, job: Job) -> None:
    ended = digitline(*QUICK, "--corrections", str(job.id))
    assert ended.code == 1
    assert f"Job {job.id} has no corrected image" in ended.err


def test_an_image_that_a_job_does_not_have_cannot_be_corrected(digitline: Digitline, job: Job) -> None:
    ended = digitline("correct", str(job.id), "4/none.png", "4")
    assert ended.code == 1
    assert "4/none.png" in ended.err
