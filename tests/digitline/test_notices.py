"""`digitline notices`: what was given up is listed, told again word for word, and dropped by nobody who took it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from core import clock, tables
from core.ledger import notices
from core.settings import Settings, get_settings
from scheduler.producer import Line
from tests.digitline.conftest import Digitline
from tests.scheduler.consumers import SECRET, Consumer, consumer
from tests.scheduler.telling import ended_job, make_due, noted, telling, turn

GONE = 410


@pytest.fixture
def hook() -> Iterator[Consumer]:
    """A consumer that wants nothing at first."""
    with consumer() as heard:
        heard.status = GONE
        yield heard


@pytest.fixture
def line(home: Settings, hook: Consumer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The line of the home; it tells the hook."""
    assert home.hooks == ()
    monkeypatch.setenv("DIGITLINE_WEBHOOK_URL", hook.url)
    monkeypatch.setenv("DIGITLINE_WEBHOOK_SECRET", SECRET)
    get_settings.cache_clear()
    with telling(get_settings()) as line:
        yield line


def listed(digitline: Digitline, *options: str) -> list[dict[str, object]]:
    found = json.loads(digitline("notices", "list", *options, "--json").out)["notices"]
    assert isinstance(found, list)
    return found


def test_what_was_given_up_is_told_again_word_for_word_once_its_consumer_takes_it(
    line: Line, hook: Consumer, digitline: Digitline
) -> None:
    job = ended_job(line)
    turn(line)
    (given_up,) = listed(digitline)
    assert (given_up["job_id"], given_up["state"], given_up["kind"], given_up["tries"]) == (
        job.id,
        "given_up",
        "job.done",
        1,
    )
    assert given_up["error"] == "it answered with HTTP 410"
    assert "given up" in digitline("notices", "list").out
    turn(line)
    assert len(hook.requests) == 1
    hook.status = 204
    assert digitline("notices", "resend", str(given_up["id"])).out == "Told again by the scheduler: 1 notice.\n"
    assert [notice["state"] for notice in listed(digitline)] == ["waiting"]
    turn(line)
    first, second = hook.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == given_up["id"]
    assert noted(line)["state"] == "delivered"
    assert (listed(digitline), digitline("notices", "list").out) == ([], "No notices.\n")
    assert [notice["state"] for notice in listed(digitline, "--all", "--job", str(job.id))] == ["delivered"]


def test_an_old_notice_that_is_told_again_has_all_its_tries(line: Line, hook: Consumer, digitline: Digitline) -> None:
    ended_job(line)
    turn(line)
    with line.database.begin() as connection:
        connection.execute(update(tables.notices).values(created_at=clock.seconds_from_now(-30 * 86_400.0)))
    hook.status = 500
    assert json.loads(digitline("notices", "resend", "--all", "--json").out)["hook_not_set"] == []
    turn(line)
    assert (noted(line)["state"], noted(line)["tries"]) == ("waiting", 1)
    hook.status = 204
    make_due(line)
    turn(line)
    assert noted(line)["state"] == "delivered"


def test_those_of_one_job_are_told_again_alone(line: Line, digitline: Digitline) -> None:
    first, second = ended_job(line), ended_job(line, name="later")
    for _ in range(2):
        turn(line)
    assert {notice["job_id"] for notice in listed(digitline)} == {first.id, second.id}
    resent = json.loads(digitline("notices", "resend", "--job", "later", "--json").out)["resent"]
    assert [notice["id"] for notice in listed(digitline, "--job", "later")] == resent
    states = {notice["job_id"]: notice["state"] for notice in listed(digitline)}
    assert states == {first.id: "given_up", second.id: "waiting"}


def test_a_notice_whose_hook_is_no_longer_set_stays_given_up_and_that_is_said(line: Line, digitline: Digitline) -> None:
    ended_job(line)
    notices.set_hooks(line.database, ())
    (given_up,) = listed(digitline)
    assert (given_up["hook_is_set"], given_up["error"]) == (False, "its hook is no longer set")
    told = digitline("notices", "resend", "--all")
    assert told.out.startswith("Told again by the scheduler: 0 notices.\nNot told again: 1 notice; no such hook is set")
    assert [notice["state"] for notice in listed(digitline)] == ["given_up"]


def test_what_is_not_there_or_not_said_is_an_error_that_names_it(line: Line, digitline: Digitline) -> None:
    assert line.settings.hooks
    ended = digitline("notices", "resend", "msg_none")
    assert (ended.code, ended.err) == (
        1,
        "digitline: There is no notice 'msg_none' that was given up. `digitline notices list` lists them.\n",
    )
    assert digitline("notices", "resend").code == 2
    assert digitline("notices", "resend", "msg_none", "--all").code == 2
    assert "There is no job" in digitline("notices", "resend", "--job", "99").err
