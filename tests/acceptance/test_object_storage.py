"""The whole line on a bucket: real processes, a real store over HTTP, and a proxy between them that can be cut."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.ledger import jobs
from core.objects import get_store
from core.vocabulary import JobState
from tests.acceptance.conftest import PATIENCE, Stage, ended
from tests.digits import digit_folder
from tests.environment import variables
from tests.oracle import attempts, check_confusion, check_job, labels_of
from tests.processes import processes_naming, running
from tests.proxy import Proxy
from tests.store import KEY, SECRET, Bucket
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(600)

IMAGES = 60


@pytest.fixture(scope="module")
def proxy(_object_store: int) -> Iterator[Proxy]:
    """What every process of the line takes for the store."""
    with Proxy(_object_store) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def store(_object_store: int, proxy: Proxy) -> Iterator[Bucket]:
    """A bucket, and the environment in which the line's processes are started."""
    bucket = Bucket(_object_store, "acceptance")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in bucket.environment(proxy.port).items():
            patched.setenv(name, value)
        get_store.cache_clear()
        yield bucket
        get_store.cache_clear()


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory, store: Bucket) -> Path:
    """A folder of digits, which lies in the bucket too."""
    folder = digit_folder(tmp_path_factory.mktemp("digits") / "digits", IMAGES)
    store.put_folder(folder, "march/digits/")
    return folder


def digitline(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb as a user does."""
    command = [sys.executable, "-m", "digitline", *arguments]
    return subprocess.run(command, env=variables(stage.settings), capture_output=True, text=True, check=False)


def submitted(stage: Stage, *arguments: str) -> dict[str, Any]:
    """Submit a source and wait; returns the job as it is printed."""
    said = digitline(stage, "submit", *arguments, "--wait", "--json")
    assert said.returncode == 0, said.stderr
    printed: dict[str, Any] = json.loads(said.stdout)
    return printed


def test_a_bucket_is_scored_as_the_same_folder_is(stage: Stage, store: Bucket, digits: Path, tmp_path: Path) -> None:
    with stage.scheduler():
        quiet = submitted(stage, str(digits))
        job = submitted(stage, store.url("march/digits"))
    assert (job["name"], job["state"]) == ("digits", JobState.DONE)
    assert job["accounts"] == quiet["accounts"]
    check_job(stage.database, job["id"], labels_of(stage.database, quiet["id"]))
    check_confusion(stage.database, job["id"])
    page = tmp_path / "page.html"
    assert digitline(stage, "report", str(job["id"]), "--output", str(page)).returncode == 0
    for text in (page.read_text(), stage.worker.output, json.dumps(job), "".join(processes_naming_secrets())):
        assert SECRET not in text
        assert KEY not in text


def processes_naming_secrets() -> list[str]:
    """Command lines with a secret in them."""
    return [line for line in processes_naming(SECRET).values() if SECRET in line]


def test_a_store_that_is_away_in_the_middle_of_a_job_costs_no_image_and_no_attempt(
    stage: Stage, store: Bucket, digits: Path, proxy: Proxy
) -> None:
    with stage.scheduler():
        quiet = submitted(stage, str(digits))
        job_id = json.loads(digitline(stage, "submit", store.url("march/digits"), "--json").stdout)["id"]
        with proxy.black_hole():
            proxy.reset()
            time.sleep(stage.settings.lease_time * 1.5)
        done = wait_until(lambda: ended(stage.database, job_id), f"job {job_id} ends", PATIENCE)
    assert done.state is JobState.DONE
    check_job(stage.database, job_id, labels_of(stage.database, quiet["id"]))
    assert max(attempts(stage.database, job_id)) <= stage.settings.max_attempts


def test_several_schedulers_score_a_drop_of_a_bucket_once_and_file_it_though_they_are_killed(
    stage: Stage, store: Bucket, digits: Path
) -> None:
    settings = stage.settings.model_copy(update={"inbox_urls": store.url("in"), "inbox_urls_interval": 0.5})
    with stage.scheduler():
        quiet = submitted(stage, str(digits))
    armed = [stage.arm(point) for point in ("drops.committed", "shelf.described")]
    store.put_folder(digits, "in/digits/")

    def filed() -> list[str]:
        return [key for key in store.keys("done/") if key.endswith("/summary.txt")]

    with (
        running(settings, "scheduler", log=stage.folder / "one.log"),
        running(settings, "scheduler", log=stage.folder / "two.log"),
        running(settings, "scheduler", log=stage.folder / "three.log"),  # each point kills one
    ):
        wait_until(filed, "the drop is filed", PATIENCE)
    assert not any(point.exists() for point in armed)
    (summary,) = filed()
    (job,) = (job for job in jobs.newest(stage.database, 50) if job.claim is not None)
    assert summary.endswith(f"-digits-{job.id}/summary.txt")
    check_job(stage.database, job.id, labels_of(stage.database, quiet["id"]))
    assert f"scored       {IMAGES}" in store.get(summary).decode()
    table = store.get(summary.replace("summary.txt", "predictions.csv"))
    assert len(table.splitlines()) == IMAGES + 1
    assert len(store.keys("in/digits/")) == IMAGES


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://no-such-bucket/x", "There is no bucket no-such-bucket"),
        ("s3://acceptance/nothing/here", "holds no file to score"),
        ("gs://acceptance/x", "Images are not read from gs://"),
        ("memory://x", "Images are not read from memory://"),
        ("s3://AKIA:hidden@acceptance/x", "names no bucket"),
    ],
)
def test_what_cannot_become_a_job_is_said_at_once(stage: Stage, url: str, says: str) -> None:
    said = digitline(stage, "submit", url)
    assert said.returncode == 1
    assert says in " ".join(said.stderr.split())
    assert "hidden" not in said.stderr
    assert "Traceback" not in said.stderr
