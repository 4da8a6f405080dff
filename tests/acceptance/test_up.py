"""`digitline up` as a user runs it: the embedded line, its inbox, Flower, its end and its next start."""

from __future__ import annotations

import json
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.crash import ALWAYS
from core.database import Database
from core.ledger import jobs, results
from core.settings import Settings
from core.vocabulary import JobState
from tests.acceptance.conftest import PATIENCE, ended
from tests.digits import digit_folder, files_below, loose_digits
from tests.oracle import check_job
from tests.processes import LineProcess, members_of_session, processes_naming
from tests.servers import free_port
from tests.waiting import wait_until
from worker.process import READY

pytestmark = pytest.mark.timeout(400)


class Up:
    """A home, and the `digitline up` that runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(
            home=folder / "home",
            batch_size=50,
            flower_port=free_port(),
            settle_time=0.5,
            scan_interval=0.5,
            sweep_interval=0.5,
            lease_time=4.0,
            resend_after=1.5,
            crash_points=folder,
        )

    def start(self) -> None:
        """Start the line; returns once its workers have loaded the model."""
        log = self.folder / "up.log"
        ready = log.read_text().count(READY) if log.exists() else 0
        self.process = LineProcess(self.settings, "up", log=log)
        self.process.says(READY, ready + self.settings.processes)

    def flower(self, path: str) -> dict[str, Any]:
        """What Flower answers; nothing where it does not, as while it starts."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.flower_port}{path}", timeout=10) as answer:
                told: dict[str, Any] = json.load(answer)
        except OSError:
            return {}
        return told

    def wait_for_flower(self) -> None:
        """Return once Flower hears of the workers; it never learns what was said before."""
        wait_until(lambda: any(self.flower("/api/workers?status=1").values()), "Flower hears of a worker", PATIENCE)

    def crash_point(self, name: str) -> Path:
        """The file that lets processes die at a point."""
        return self.folder / name.replace("/", "_")

    @property
    def database(self) -> Database:
        """The ledger."""
        return Database(self.settings.database)

    def close(self) -> None:
        """End every process that names this home."""
        self.process.close()
        wait_until(lambda: not processes_naming(str(self.folder)), "nothing is left of the line", PATIENCE)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running line."""
    line = Up(tmp_path_factory.mktemp("up"))
    try:
        line.start()
        yield line
    finally:
        line.close()


def scored_drop(up: Up, name: str) -> Path:
    """Wait until a drop is filed as done; returns its folder."""

    def filed() -> Path | None:
        return next(iter(up.settings.done_folder.glob(f"*-{name}-*")), None)

    return wait_until(filed, f"{name} is filed in done/", PATIENCE)


def test_class_folders_copied_into_the_inbox_are_scored_and_filed(up: Up, tmp_path: Path) -> None:
    source = digit_folder(tmp_path / "classes", 60)
    (source / "3" / "notes.txt").write_text("not a picture")
    (source / ".DS_Store").touch()
    shutil.copytree(source, up.settings.inbox_folder / "classes")
    place = scored_drop(up, "classes")
    job = jobs.find(up.database, "classes")
    assert (job.accounts.found, job.accounts.scored, job.accounts.rejected) == (61, 60, 1)
    assert job.accuracy is not None
    assert job.accuracy > 0.9
    assert files_below(source) <= files_below(place)
    summary = (place / "summary.txt").read_text()
    assert "3/notes.txt: The file is not an image" in summary
    assert len((place / "predictions.csv").read_text().splitlines()) == 1 + 61


def test_loose_images_become_one_job_without_labels(up: Up, tmp_path: Path) -> None:
    for path in loose_digits(tmp_path / "loose", 3):
        shutil.copy(path, up.settings.inbox_folder)
    name = "scan-00000.png and 2 more"
    scored_drop(up, name)
    job = jobs.find(up.database, name)
    assert job.accounts.scored == 3
    assert job.accuracy is None


def test_a_wrong_labels_csv_is_filed_as_failed_with_the_line_that_is_wrong(up: Up, tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    loose_digits(folder, 2)
    (folder / "labels.csv").write_text("path,label\nscan-00000.png,7\nscan-00001.png,eleven\n")
    shutil.move(folder, up.settings.inbox_folder / "wrong")
    summary = wait_until(
        lambda: next(iter(up.settings.failed_folder.glob("*-wrong-*/summary.txt")), None), "it is filed", PATIENCE
    )
    assert "labels.csv, line 3: the label 'eleven' of 'scan-00001.png' is no digit" in summary.read_text()


def test_flower_tells_the_story_of_a_batch(up: Up, tmp_path: Path) -> None:
    up.wait_for_flower()
    digit_folder(tmp_path / "story", 55)
    shutil.move(tmp_path / "story", up.settings.inbox_folder / "story")
    scored_drop(up, "story")

    def told() -> list[dict[str, object]]:
        tasks = up.flower("/api/tasks?state=SUCCESS").values()
        return [task for task in tasks if "'story'" in str(task["kwargs"])]

    tasks = wait_until(lambda: len(told()) == 2 and told(), "Flower shows both batches", PATIENCE)
    shown = sorted(str(task["kwargs"]).partition(" ")[2] for task in tasks)
    number = jobs.find(up.database, "story").id
    assert shown == [f"{number} 'story', batch 1/2, 50 images", f"{number} 'story', batch 2/2, 5 images"]
    assert {task["name"] for task in tasks} == {"worker.score_batch"}
    assert any("50 scored" in str(task["result"]) for task in tasks)


def test_a_red_row_in_flower_names_the_image_that_was_quarantined(up: Up, tmp_path: Path) -> None:
    up.wait_for_flower()
    folder = digit_folder(tmp_path / "poisoned", 20)
    poison = sorted(files_below(folder))[3]
    deadly = up.crash_point(f"look.{poison}")
    deadly.write_text(ALWAYS)
    shutil.move(folder, up.settings.inbox_folder / "poisoned")
    scored_drop(up, "poisoned")
    deadly.unlink()  # other tests drop an image of that name

    def red() -> list[str]:
        tasks = up.flower("/api/tasks?state=FAILURE").values()
        return [str(task["exception"]) for task in tasks if "'poisoned'" in str(task["kwargs"])]

    told = wait_until(lambda: [one for one in red() if poison in one], "Flower names the image", PATIENCE)
    assert "19 scored, 1 quarantined" in told[0]
    assert f"{poison}: Looking at it ended its process by SIGKILL" in told[0]


def test_a_second_line_in_the_same_home_is_refused(up: Up, tmp_path: Path) -> None:
    second = LineProcess(up.settings, "up", log=tmp_path / "second.log")
    try:
        wait_until(lambda: second.exit_code is not None, "the second line gives up", PATIENCE)
    finally:
        second.close()
    assert second.exit_code == 1
    assert f"A line runs already in {up.settings.home_folder} (process {up.process.pid})" in second.output


def test_a_line_that_is_killed_and_started_again_scores_every_image_once(up: Up, tmp_path: Path) -> None:
    source = digit_folder(tmp_path / "five-hundred", 500)
    shutil.copytree(source, up.settings.inbox_folder / "five-hundred")
    wait_until(lambda: not (up.settings.inbox_folder / "five-hundred").exists(), "the drop is claimed", PATIENCE)
    up.process.kill()
    up.start()
    place = scored_drop(up, "five-hundred")
    job = jobs.find(up.database, "five-hundred")
    labels = {result.path: result.label for result in results.of_job(up.database, job.id)}
    assert labels.keys() == files_below(source)
    check_job(up.database, job.id, labels)
    assert files_below(source) <= files_below(place)


def test_a_stopped_line_leaves_no_process_and_goes_on_where_it_was(up: Up, tmp_path: Path) -> None:
    digit_folder(tmp_path / "interrupted", 300)
    shutil.move(tmp_path / "interrupted", up.settings.inbox_folder / "interrupted")
    wait_until(lambda: not (up.settings.inbox_folder / "interrupted").exists(), "the drop is claimed", PATIENCE)
    assert up.process.stop(signal.SIGINT) == 0
    assert members_of_session(up.process.pid) == []
    assert processes_naming(str(up.settings.home_folder)) == {}
    up.start()
    scored_drop(up, "interrupted")
    job = wait_until(lambda: ended(up.database, jobs.find(up.database, "interrupted").id), "the job ends", PATIENCE)
    assert job.state is JobState.DONE
    assert job.accounts.scored == 300
