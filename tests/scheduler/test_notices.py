"""A hook is told of every end of a job, once, with its accounts and signed; and a running example takes it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import update

from core import clock, tables
from core.hooks import signature
from core.ledger import batches, jobs, notices, steering
from core.settings import Settings
from scheduler.filing import file_away
from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.core.examples import create_job, new_job, outcome, rows, score, take
from tests.docs.pages import DOCS
from tests.processes import PATIENCE
from tests.scheduler.conftest import pictures
from tests.scheduler.consumers import SECRET, Consumer, Request
from tests.scheduler.telling import ended_job, noted, telling, told, turn
from tests.waiting import wait_until

KEY = base64.b64decode(SECRET.removeprefix("whsec_"))


@pytest.fixture
def line(hook_settings: Settings) -> Iterator[Line]:
    """A line on either database that tells the hook."""
    with telling(hook_settings) as line:
        yield line


def test_a_job_that_ends_is_told_with_its_accounts_once(line: Line, hook: Consumer) -> None:
    job = ended_job(line)
    turn(line)
    turn(line)
    (request,), (said,) = hook.requests, told(hook)
    assert request.path == "/hook?token=s3cret"
    assert request.headers["content-type"] == "application/json"
    data = said.pop("data")
    assert said == {"type": "job.done", "timestamp": data["finished_at"]}
    assert data.pop("accounts") == {"found": 4, "scored": 3, "rejected": 1, "quarantined": 0, "open": 0}
    assert (data["id"], data["name"], data["state"], data["error"]) == (job.id, "scans", "done", None)
    assert (data["labelled"], data["correct"], data["accuracy"]) == (3, 2, pytest.approx(2 / 3))
    assert (data["model"], data["source"], data["filed"]) == ("small", "file:///scans", False)
    assert noted(line)["state"] == "delivered"


def test_the_signature_is_that_of_the_specification(line: Line, hook: Consumer) -> None:
    assert signature(KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
    ended_job(line)
    turn(line)
    (request,) = hook.requests
    sent_at = int(request.headers["webhook-timestamp"])
    assert sent_at == int(noted(line)["tried_at"].timestamp())
    expected = signature(KEY, request.headers["webhook-id"], sent_at, request.body)
    assert request.headers["webhook-signature"] == expected


def test_every_way_to_end_is_told_and_a_pause_too(line: Line, hook: Consumer) -> None:
    failed = create_job(line.database, [1])
    score(line.database, failed, [[None]])
    cancelled = steering.cancel(line.database, jobs.create(line.database, new_job([1])))
    paused = jobs.create(line.database, new_job([1, 1], max_rejected=0.0))
    first = take(line.database, batches.of_job(line.database, paused.id)[0])
    batches.finish(line.database, first, outcome(first, labels=[None]))
    turn(line)
    said = {(one["type"], one["data"]["id"]) for one in told(hook)}
    assert said == {("job.failed", failed.id), ("job.cancelled", cancelled.id), ("job.paused", paused.id)}
    (pause_notice,) = (one for one in told(hook) if one["type"] == "job.paused")
    assert "more than the 0.00% it may bear" in pause_notice["data"]["error"]
    assert pause_notice["timestamp"] is not None
    steering.retry(line.database, cancelled)
    score(line.database, cancelled)
    turn(line)
    assert told(hook)[-1]["type"] == "job.done"


def test_without_a_hook_nothing_is_written_or_sent(
    line: Line, settings: MakeSettings, hook: Consumer, database_url: str
) -> None:
    turn(line, settings(database_url=database_url))
    ended_job(line)
    assert rows(line.database, tables.notices) == []
    turn(line)
    assert hook.requests == []


def test_what_a_hook_that_is_not_set_any_more_was_to_be_told_is_given_up(
    line: Line, settings: MakeSettings, hook: Consumer, database_url: str
) -> None:
    ended_job(line)
    turn(line, settings(database_url=database_url))
    assert (noted(line)["state"], noted(line)["error"]) == ("given_up", "its hook is no longer set")
    turn(line)
    assert hook.requests == []


def test_neither_the_secret_nor_the_url_is_in_the_ledger(line: Line, hook: Consumer) -> None:
    ended_job(line)
    everything = str(rows(line.database, tables.hooks) + rows(line.database, tables.notices))
    assert "s3cret" not in everything
    assert SECRET not in everything
    assert hook.url.split("/hook")[0] in everything


def test_a_drop_is_told_once_it_is_filed_and_the_notice_says_where(line: Line, hook: Consumer, tmp_path: Path) -> None:
    home = line.settings
    for folder in (home.claimed_folder / "c1", home.done_folder):
        folder.mkdir(parents=True)
    drop = pictures(home.claimed_folder / "c1" / "scans", "1/0.png", "1/1.png", "1/2.png", "2/0.png")
    job = ended_job(line, claim="c1")
    with line.database.begin() as connection:
        connection.execute(update(tables.jobs).values(source=drop.as_uri()))
    turn(line)
    assert hook.requests == []
    place = file_away(line, jobs.get(line.database, job.id))
    turn(line)
    (said,) = told(hook)
    assert (said["data"]["source"], said["data"]["filed"]) == (place.as_uri(), True)
    assert (place / "predictions.csv").is_file()
    assert tmp_path in place.parents


def test_a_drop_that_cannot_be_filed_is_told_all_the_same(line: Line, hook: Consumer) -> None:
    ended_job(line, claim="c1")
    turn(line)
    assert hook.requests == []
    with line.database.begin() as connection:
        connection.execute(update(tables.notices).values(created_at=clock.seconds_from_now(-61)))
    turn(line)
    assert told(hook)[0]["data"]["filed"] is False


def test_the_example_takes_a_notice_once_and_refuses_what_is_not_genuine(
    line: Line, hook: Consumer, settings: MakeSettings, database_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "consumer.log"
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-u", str(DOCS / "examples" / "webhook_consumer.py"), "--port", "0"],
            env={**os.environ, "DIGITLINE_WEBHOOK_SECRET": SECRET},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        wait_until(lambda: "listening on" in log.read_text(), "the example listens", PATIENCE)
        url = log.read_text().split()[-1]
        both = settings(database_url=database_url, webhook_url=f"{url} {hook.url}", webhook_secret=SECRET)
        notices.set_hooks(line.database, both.hooks)
        job = ended_job(line)
        turn(line, both)
        assert log.read_text().count(f"job.done: job {job.id} 'scans'") == 1
        assert [row["state"] for row in rows(line.database, tables.notices)] == ["delivered"] * 2
        (request,) = hook.requests
        assert post(url, request) == 204
        assert post(url, request) == 204
        assert log.read_text().count("job.done") == 2
        tampered = request.body.replace(b'"scored":3', b'"scored":4')
        assert tampered != request.body
        assert post(url, request, body=tampered) == 401
        assert post(url, request, **{"webhook-id": "msg_other"}) == 401
        assert post(url, request, **{"webhook-timestamp": "1614265330"}) == 401
        stale = {"webhook-timestamp": "1614265330", "webhook-id": "msg_old"}
        assert post(url, request, **stale, **{"webhook-signature": signed(request, stale)}) == 401
        assert post(url, request, **{"webhook-signature": "v1,"}) == 401
        assert log.read_text().count("job.done") == 2


def signed(request: Request, headers: dict[str, str]) -> str:
    return signature(KEY, headers["webhook-id"], int(headers["webhook-timestamp"]), request.body)


def post(url: str, request: Request, body: bytes | None = None, **headers: str) -> int:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    wanted = {**{name: request.headers[name] for name in names}, **headers}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body or request.body, wanted)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
