"""The whole line on a bucket: real processes, a real store over HTTP, and a proxy between them that can be cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from tests.processes import LineProcess, members_of_session, processes_naming, running
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


@contextmanager
def frozen(process: LineProcess) -> Iterator[None]:
    """Let neither a process nor its children do anything as long as the block lasts."""
    family = members_of_session(process.pid)
    for process_id in family:
        os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        for process_id in family:
            os.kill(process_id, signal.SIGCONT)


def test_a_store_that_is_away_for_longer_than_a_lease_costs_no_image_and_quarantines_none(
    stage: Stage, store: Bucket, digits: Path, proxy: Proxy
) -> None:
    with stage.scheduler():
        quiet = submitted(stage, str(digits))
        with ExitStack() as outage:
            with frozen(stage.worker):
                job_id = json.loads(digitline(stage, "submit", store.url("march/digits"), "--json").stdout)["id"]
                outage.enter_context(proxy.black_hole())
                proxy.reset()
            # What a worker had claimed is taken back, or given back.
            wait_until(lambda: jobs.get(stage.database, job_id).trouble, "a batch waits for the store", PATIENCE)
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
