"""Flower tells the story of a batch: what it shows, keeps over a kill, lets in, and how it stands behind a proxy."""

from __future__ import annotations

import html
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.digitline.flowers import PATIENCE, Answer, Events, Flower, proxy, running
from tests.environment import ROOT, variables
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)

LOST = """Traceback (most recent call last):
  File "billiard/pool.py", line 1367, in mark_as_worker_lost
billiard.exceptions.WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: 5.
"""
POISON = "39 scored, 1 quarantined, 1.92 s. 7/17.png: Looking at it ended its process by SIGKILL, 2 times of 2."
HOSTILE = "<script>alert(1)</script>\" onload='alert(2)'.png"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flower, Events]]:
    """A Flower without a password, and what tells it of batches."""
    with running(tmp_path_factory.mktemp("flower")) as both:
        yield both


def shown_rows(answer: Answer) -> dict[str, str]:
    """The rows of a task's own page, by their headings."""
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", answer.text, re.DOTALL)
    return {heading: " ".join(html.unescape(re.sub(r"<[^>]+>", "", value)).split()) for heading, value in found}


def test_a_row_says_which_batch_of_which_job_what_came_out_on_which_worker_and_how_long_it_took(
    seen: tuple[Flower, Events],
) -> None:
    flower, events = seen
    events.start("job-12-batch-3-1", job=12, name="scans", sequence=3, size=512)
    events.say("task-succeeded", "job-12-batch-3-1", result="'512 scored, 0.93 s'", runtime=0.94)
    row = flower.row("job-12-batch-3-1", state="SUCCESS")
    told = {name: row[name] for name in ("job", "batch", "images", "outcome", "worker", "runtime")}
    assert told == {
        "job": "12 scans",
        "batch": "3/8",
        "images": 512,
        "outcome": "512 scored, 0.93 s",
        "worker": "scorer@one",
        "runtime": 0.94,
    }
    headings = re.findall(r'<th data-column="(\w+)">', flower.ask("/tasks").text)
    assert headings == ["uuid", "job", "batch", "images", "outcome", "state", "worker", "received", "runtime"]


def test_a_running_batch_says_how_far_it_is_and_is_found_among_those_that_run(seen: tuple[Flower, Events]) -> None:
    flower, events = seen
    events.start("running")
    for done in (100, 300):
        events.say("task-progress", "running", result=f"{done} of 512 images")
        flower.row("running", outcome=f"{done} of 512 images", state="STARTED")
        assert "running" in {row["uuid"] for row in flower.rows("state:STARTED")}
    events.say("task-succeeded", "running", result="'512 scored, 3.00 s'", runtime=3.0)
    flower.row("running", outcome="512 scored, 3.00 s", state="SUCCESS")


def test_a_red_row_leads_to_the_image_the_reason_and_the_retry(seen: tuple[Flower, Events]) -> None:
    flower, events = seen
    events.start("poison", job=12)
    events.say("task-failed", "poison", exception=f"ImagesQuarantined({POISON!r})", runtime=1.9)
    row = flower.row("poison", state="FAILURE", outcome=POISON)
    assert "poison" in {row["uuid"] for row in flower.rows("state:FAILURE")}
    assert row["runtime"] == 1.9
    page = shown_rows(flower.ask("/task/poison"))
    assert (page["Job"], page["Outcome"]) == ("12 scans", POISON)
    assert "`digitline results 12 --only rejected`" in page["What to do"]
    assert "`digitline retry 12`" in page["What to do"]


def test_rejected_images_are_named_with_what_shows_them(seen: tuple[Flower, Events]) -> None:
    flower, events = seen
    events.start("rejected", job=12)
    events.say(
        "task-succeeded", "rejected", result="'39 scored, 1 rejected, 0.01 s. 5/cut.png: It ends.'", runtime=0.01
    )
    flower.row("rejected", outcome="39 scored, 1 rejected, 0.01 s. 5/cut.png: It ends.")
    page = shown_rows(flower.ask("/task/rejected"))
    assert "`digitline results 12 --only rejected`" in page["What to do"]
    assert "`digitline explain FILE`" in page["What to do"]


@pytest.mark.parametrize(
    ("exception", "traceback", "outcome", "mend"),
    [
        ("ExceptionWithTraceback()", LOST, "The process that scored it was ended by SIGKILL.", "`digitline status 1`"),
        (
            "TimeLimitExceeded(751.0,)",
            "",
            "It took longer than DIGITLINE_SOFT_TIME_LIMIT allows.",
            "sends the batch again",
        ),
        ("SourceNotFound('There is no folder /a on b.')", "", "There is no folder /a on b.", "sends the batch again"),
        (
            "LedgerUnreachable('It does not answer.')",
            "",
            "It does not answer.",
            "Start it, or correct DIGITLINE_DATABASE",
        ),
        ("MemoryError()", "", "MemoryError", "sends the batch again"),
        ("KeyError('a', open)", "", "'a', open", "sends the batch again"),
    ],
)
def test_why_an_attempt_failed_is_a_sentence(
    seen: tuple[Flower, Events], exception: str, traceback: str, outcome: str, mend: str
) -> None:
    flower, events = seen
    task = f"failed-{exception[:8]}"
    events.start(task)
    events.say("task-failed", task, exception=exception, traceback=traceback)
    flower.row(task, state="FAILURE", outcome=outcome)
    assert mend in shown_rows(flower.ask(f"/task/{task}"))["What to do"]


def test_a_batch_whose_worker_is_gone_does_not_seem_to_run_for_ever(seen: tuple[Flower, Events]) -> None:
    flower, events = seen
    events.start("left")
    events.say("worker-offline", "left")
    flower.row("left", outcome="Its worker is gone, and nobody is left to say how it ended.", state="STARTED")
    assert "sends the batch again" in shown_rows(flower.ask("/task/left"))["What to do"]
    events.say("worker-heartbeat", "left", freq=60)


def test_a_hostile_name_is_text_wherever_it_is_shown(seen: tuple[Flower, Events]) -> None:
    flower, events = seen
    events.start("hostile", name=HOSTILE)
    events.say("task-succeeded", "hostile", result=repr(f"1 rejected, 0.1 s. {HOSTILE}: No."), runtime=0.1)
    row = flower.row("hostile", state="SUCCESS")
    assert row["job"] == f"1 {HOSTILE}"
    page = flower.ask("/task/hostile")
    assert "alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert shown_rows(page)["Job"] == f"1 {HOSTILE}"
    table = flower.ask("/tasks/datatable?draw=1&start=0&length=1&order[0][column]=0")
    assert table.headers["Content-Type"].startswith("application/json")
    assert table.headers["X-Content-Type-Options"] == "nosniff"


def test_a_task_of_somebody_else_is_shown_as_flower_does(seen: tuple[Flower, Events]) -> None:
    flower, events = seen
    events.start("foreign")
    events.say("task-received", "other", name="os.mkdir", args="['/tmp/a']", kwargs="{}")
    row = flower.row("other", state="RECEIVED")
    assert (row["job"], row["batch"], row["images"], row["outcome"]) == ("", "", "", "")
    assert shown_rows(flower.ask("/task/other"))["Arguments"] == "['/tmp/a']"


def test_jobs_and_images_are_sorted_as_numbers(seen: tuple[Flower, Events]) -> None:
    flower, events = seen
    sent = [("ten", 1010, 9), ("two", 1002, 100), ("three", 1003, 20)]
    for task, job, size in sent:
        events.start(task, job=job, size=size)
        events.say("task-progress", task, result=f"{task} of 10 images")
        flower.row(task, outcome=f"{task} of 10 images")
    ours = {task for task, _, _ in sent}

    def in_order(by: str) -> list[str]:
        return [row["uuid"] for row in flower.rows(by=by, order="asc") if row["uuid"] in ours]

    assert (in_order("job"), in_order("images")) == (["two", "three", "ten"], ["ten", "three", "two"])
    assert in_order("outcome") == ["ten", "three", "two"]


def test_pages_keep_themselves_up_to_date_and_out_of_frames(seen: tuple[Flower, Events]) -> None:
    page = seen[0].ask("/tasks")
    assert "ajax.reload(null, false)" in page.text
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_history_outlives_a_stop_and_a_kill_while_it_is_saved_and_a_damaged_one_is_put_aside(tmp_path: Path) -> None:
    with running(tmp_path, crash_points=tmp_path) as (flower, events):
        events.start("before", job=3)
        events.say("task-succeeded", "before", result="'40 scored, 0.1 s'", runtime=0.1)
        flower.row("before", state="SUCCESS")
        assert flower.process.stop(signal.SIGTERM) == 0
        flower.start()
        events.start("after")
        (tmp_path / "flower.written").touch()
        assert flower.process.stop(signal.SIGTERM) == -signal.SIGKILL
        flower.start()
        kept = flower.row("before", state="SUCCESS")
        assert (kept["job"], kept["outcome"]) == ("3 scans", "40 scored, 0.1 s")
        assert flower.process.stop(signal.SIGTERM) == 0
        saved = flower.settings.home_folder / "flower"
        saved.write_bytes(b"no history" * 100)
        flower.start()
        assert flower.rows() == []
        assert f"The history in {saved} cannot be read, and is put aside as flower.corrupt" in flower.log
        assert saved.with_name("flower.corrupt").exists()


def test_history_is_saved_while_flower_runs(tmp_path: Path) -> None:
    with running(tmp_path) as (flower, events):
        events.start("before")
        saved = flower.settings.home_folder / "flower"
        wait_until(lambda: saved.exists() and b"before" in saved.read_bytes(), "the history is saved", PATIENCE)
        flower.process.kill()
        flower.start()
        flower.row("before")


def test_a_job_leads_to_its_page_only_where_that_is_known(seen: tuple[Flower, Events], tmp_path: Path) -> None:
    assert "var WEB_PAGE = null;" in seen[0].ask("/tasks").text
    with running(tmp_path, flower_web_url="https://digits.example/line</script>") as (flower, _):
        assert r'var WEB_PAGE = "https://digits.example/line<\/script>";' in flower.ask("/tasks").text


def test_behind_a_proxy_every_path_has_the_prefix(tmp_path: Path) -> None:
    with (
        running(tmp_path, flower_url_prefix="/watch/flower") as (flower, events),
        proxy(flower.settings.flower_port, "/watch/flower/") as port,
    ):
        events.start("proxied")
        page = flower.ask("/tasks", port=port)
        assert page.status == 200
        paths = re.findall(r"(?:href|src)=\"(/[^\"]*)\"", page.text)
        assert len(paths) > 8
        assert [path for path in paths if not path.startswith("/watch/flower/")] == []
        assets = [path.removeprefix("/watch/flower") for path in paths if "/static/" in path]
        assert {flower.ask(path, port=port).status for path in assets} == {200}
        assert 'value="/watch/flower" id="url_prefix"' in page.text
        table = "/tasks/datatable?draw=1&start=0&length=9&order[0][column]=0"
        assert json.loads(flower.ask(table, port=port, method="POST").text)["recordsTotal"] == 1
        assert flower.ask("/task/proxied", port=port).status == 200
        assert flower.ask("/", port=port).status == 200
        healthy = [sys.executable, str(ROOT / "deploy" / "healthcheck.py"), "flower"]
        assert subprocess.run(healthy, env=variables(flower.settings), check=False).returncode == 0
        unprefixed = Flower(flower.settings.model_copy(update={"flower_url_prefix": None}), flower.folder)
        assert unprefixed.ask("/tasks").status == 404


def test_the_pictures_of_the_documents_are_small() -> None:
    images = ROOT / "docs" / "images"
    sizes = {path.name: path.stat().st_size for path in images.glob("flower-*.png")}
    assert {"flower-tasks.png", "flower-task.png"} <= sizes.keys()
    assert all(size < 150_000 for size in sizes.values())
