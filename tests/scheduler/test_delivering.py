"""What a hook does not take is told again, whatever dies meanwhile; and nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from sqlalchemy import update

from core import clock, tables
from core.ledger import notices
from core.ledger.notices import Notice
from core.settings import Settings
from scheduler import notices as delivery
from scheduler.notices import GIVE_UP_AFTER, Messenger, pause
from scheduler.post import Answer
from scheduler.producer import Line
from tests.conftest import MakeSettings
from tests.core.examples import rows
from tests.processes import PATIENCE, running
from tests.scheduler.consumers import SECRET, Consumer, consumer
from tests.scheduler.telling import ended_job, make_due, noted, telling, turn, waiting
from tests.waiting import wait_until


@pytest.fixture
def line(hook_settings: Settings) -> Iterator[Line]:
    """A line on either database that tells the hook."""
    with telling(hook_settings) as line:
        yield line


@pytest.mark.parametrize("status", [300, 404, 429, 500, 503])
def test_what_is_not_taken_is_sent_again_later_under_the_same_id(line: Line, hook: Consumer, status: int) -> None:
    ended_job(line)
    hook.statuses = [status]
    hook.headers = {"Location": hook.url}
    turn(line)
    turn(line)
    assert len(hook.requests) == 1
    assert (noted(line)["state"], noted(line)["tries"]) == ("waiting", 1)
    assert f"HTTP {status}" in noted(line)["error"]
    assert 5 <= (noted(line)["next_at"] - noted(line)["tried_at"]).total_seconds() <= 10.5
    make_due(line)
    turn(line)
    first, second = hook.requests
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert (noted(line)["state"], noted(line)["error"]) == ("delivered", None)


def test_a_redirect_is_not_followed(line: Line, hook: Consumer) -> None:
    with consumer() as elsewhere:
        hook.status, hook.headers = 307, {"Location": elsewhere.url}
        ended_job(line)
        turn(line)
        assert elsewhere.requests == []
    assert noted(line)["error"] == "it answered with HTTP 307, which is not followed"


def test_a_hook_that_wants_none_is_told_no_more_of_this(line: Line, hook: Consumer) -> None:
    hook.status = 410
    ended_job(line)
    turn(line)
    assert noted(line)["state"] == "given_up"
    (found,) = notices.undelivered(line.database, 3600)
    assert (found.state, found.count, found.error) == ("given_up", 1, "it answered with HTTP 410")
    assert found.address in hook.url
    assert notices.undelivered(line.database, -120) == []


def test_after_three_days_it_is_given_up(line: Line, hook: Consumer) -> None:
    hook.status = 500
    ended_job(line)
    turn(line)
    assert [one.state for one in notices.undelivered(line.database, 0)] == ["waiting"]
    with line.database.begin() as connection:
        old = {"created_at": clock.seconds_from_now(-GIVE_UP_AFTER), "next_at": clock.now()}
        connection.execute(update(tables.notices).values(old))
    turn(line)
    make_due(line)
    turn(line)
    assert (len(hook.requests), noted(line)["state"]) == (2, "given_up")


def test_the_pauses_grow_are_never_alike_and_end_after_three_days() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    age, tries, pauses = 0.0, 0, []
    while True:
        tries += 1
        seconds = pause(Notice("msg_1", 1, "{}", tries, now, age), None)
        if seconds is None:
            break
        pauses.append(seconds)
        age += seconds
    assert all(5 * 4**n <= seconds <= 10 * 4**n for n, seconds in enumerate(pauses[:6]))
    assert max(pauses) <= 8 * 3600
    assert 14 <= tries <= 30
    assert len(set(pauses)) == len(pauses)
    asked = Answer(503, 120.0)
    assert pause(Notice("msg_1", 1, "{}", 1, now, 0.0), asked) == 120.0


def test_a_hook_that_does_not_answer_keeps_no_other_waiting_and_is_tried_once_a_round(
    line: Line, hook: Consumer, settings: MakeSettings, database_url: str
) -> None:
    with consumer() as gone:
        nobody = gone.url
    both = settings(database_url=database_url, webhook_url=f"{nobody} {hook.url}", webhook_secret=SECRET)
    notices.set_hooks(line.database, both.hooks)
    for _ in range(3):
        ended_job(line)
    turn(line, both)
    assert len(hook.requests) == len(set(hook.ids)) == 3
    untold = [row for row in rows(line.database, tables.notices) if row["state"] == "waiting"]
    assert sorted(row["tries"] for row in untold) == [0, 0, 1]
    assert next(row["error"] for row in untold if row["tries"]) == "Connection refused"


def test_one_that_answers_a_byte_at_a_time_is_cut_off(
    line: Line, hook: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            while not free.wait(0.01):
                handler.wfile.write(b"H")
        except OSError:
            free.set()

    monkeypatch.setattr(delivery, "TIMEOUT", 0.5)
    hook.answering = drip
    ended_job(line)
    turn(line)
    assert noted(line)["error"] == "no answer within 0.5 s"
    assert free.wait(PATIENCE)


def test_what_speaks_no_http_has_failed(line: Line, hook: Consumer) -> None:
    def talk(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"s3cret nonsense\r\n")

    hook.answering = talk
    ended_job(line)
    turn(line)
    assert noted(line)["error"] == "no HTTP answer (BadStatusLine)"


def test_a_certificate_that_nobody_vouches_for_is_refused(
    line: Line, hook: Consumer, settings: MakeSettings, database_url: str
) -> None:
    secure = settings(database_url=database_url, webhook_url=hook.url.replace("http:", "https:"), webhook_secret=SECRET)
    notices.set_hooks(line.database, secure.hooks)
    ended_job(line)
    turn(line, secure)
    assert hook.requests == []
    assert noted(line)["state"] == "waiting"
    assert noted(line)["error"]


def test_a_round_that_lasts_keeps_the_scheduler_from_nothing(line: Line, hook: Consumer) -> None:
    reached, free = threading.Event(), threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        assert free.wait(PATIENCE)
        handler.send_response(204)
        handler.end_headers()

    hook.answering = wait
    ended_job(line)
    messenger = Messenger(line.settings, line.database, threading.Event())
    messenger.turn()
    assert reached.wait(PATIENCE)
    messenger.turn()
    ended_job(line)
    free.set()
    wait_until(lambda: (messenger.turn(wait=True), len(hook.requests) == 2)[1], "both are told")


def test_many_schedulers_at_once_send_each_notice_once(line: Line, hook: Consumer) -> None:
    for _ in range(30):
        ended_job(line)
    messengers = [Messenger(line.settings, line.database, threading.Event()) for _ in range(4)]
    for messenger in messengers:
        messenger.turn()
    for messenger in messengers:
        wait_until(lambda one=messenger: (one.turn(wait=True), not waiting(line))[1], "all are told")
    assert len(hook.ids) == len(set(hook.ids)) == 30


@pytest.mark.parametrize("point", ["hook.claimed", "hook.sent"])
def test_a_scheduler_that_dies_in_a_try_leaves_it_to_the_next_one(
    line: Line, hook: Consumer, tmp_path: Path, point: str
) -> None:
    points = line.settings.crash_points
    assert points is not None
    points.mkdir(parents=True)
    (points / point).touch()
    ended_job(line)
    with running(line.settings, "scheduler", log=tmp_path / "first.log") as first:
        wait_until(lambda: first.exit_code is not None, "the first scheduler dies", PATIENCE)
    turn(line)
    assert len(hook.requests) == (1 if point == "hook.sent" else 0)
    make_due(line)
    with running(line.settings, "scheduler", log=tmp_path / "second.log") as second:
        wait_until(lambda: noted(line)["state"] == "delivered", "the second one tells it", PATIENCE)
        assert second.stop() == 0
    assert len(set(hook.ids)) == 1
    assert len({request.body for request in hook.requests}) == 1
    assert hook.url not in (tmp_path / "second.log").read_text()
