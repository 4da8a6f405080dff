"""Flower in a browser: rows come by themselves, red ones lead to what to do, names stay text, other pages stay out."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.digitline.flowers import Events, Flower, proxy, running

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
POISON = "39 scored, 1 quarantined, 1.92 s. 7/17.png: Looking at it ended its process by SIGKILL, 2 times of 2."
LOGIN = {"username": "ada", "password": "secret"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flower, Events]]:
    """A Flower with a password below a prefix, and what tells it of batches."""
    folder = tmp_path_factory.mktemp("flower")
    login = ":".join(LOGIN.values())
    overrides = {"flower_url_prefix": "/flower", "flower_web_url": "https://digits.example/line/"}
    with running(folder, flower_auth=SecretStr(login), **overrides) as both:
        both[0].login = login
        yield both


@contextmanager
def page_of(chromium: Browser, address: str) -> Iterator[tuple[Page, list[str]]]:
    """A page of a browser that knows the password, and what went wrong or was popped up in it."""
    context = chromium.new_context(http_credentials=LOGIN)
    page, said = context.new_page(), list[str]()
    page.clock.install()
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.goto(address)
    try:
        yield page, said
    finally:
        context.close()


def test_behind_a_proxy_a_batch_turns_from_running_to_red_by_itself_and_its_page_says_what_to_do(
    chromium: Browser, watched: tuple[Flower, Events]
) -> None:
    flower, events = watched
    with (
        proxy(flower.settings.flower_port, "/flower/") as port,
        page_of(chromium, f"http://127.0.0.1:{port}/flower/tasks") as (page, said),
    ):
        events.start("job-12-batch-3-a", job=12, name=HOSTILE, sequence=3)
        row = page.locator("#tasks-table tbody tr", has_text="job-12-batch-3-a")
        expect(row).to_contain_text("STARTED")
        events.say("task-progress", "job-12-batch-3-a", result="15 of 40 images")
        expect(row).to_contain_text("15 of 40 images")
        assert "table-danger" not in (row.get_attribute("class") or "")
        events.say("task-failed", "job-12-batch-3-a", exception=f"ImagesQuarantined({POISON + HOSTILE!r})")
        expect(row).to_contain_text("FAILURE")
        expect(row).to_have_class(re.compile("table-danger"))
        expect(row.locator("td").nth(1)).to_have_text(f"12 {HOSTILE}")
        job = page.get_by_role("link", name=f"12 {HOSTILE}", exact=True)
        expect(job).to_have_attribute("href", "https://digits.example/line/jobs/12")
        row.get_by_role("link", name="job-12-batch-3-a").click()
        expect(page.locator("dl")).to_contain_text("`digitline retry 12`")
        expect(job).to_have_attribute("href", "https://digits.example/line/jobs/12")
        expect(page.locator("dl")).to_contain_text(POISON + HOSTILE)
        page.get_by_role("link", name="Workers").click()
        expect(page.locator("#workers-refresh-status")).to_contain_text("Updated")
        assert said == []


def test_a_selection_is_kept_so_that_a_command_can_be_copied(chromium: Browser, watched: tuple[Flower, Events]) -> None:
    flower, events = watched
    with page_of(chromium, f"http://127.0.0.1:{flower.settings.flower_port}/flower/tasks") as (page, _):
        events.start("selected")
        row = page.locator("#tasks-table tbody tr", has_text="selected")
        expect(row).to_contain_text("STARTED")
        # In one step, for the table is drawn anew now and then.
        page.evaluate(
            """() => getSelection().selectAllChildren(
                [...document.querySelectorAll("#tasks-table tbody tr")].find(row => row.innerText.includes("selected")).cells[1]
            )"""
        )
        events.say("task-succeeded", "selected", result="'40 scored, 0.1 s'", runtime=0.1)
        flower.row("selected", state="SUCCESS")
        page.clock.fast_forward(20_000)  # of the page's own time, in which it would have looked again
        expect(row).to_contain_text("STARTED")
        page.evaluate("getSelection().removeAllRanges()")
        expect(row).to_contain_text("40 scored, 0.1 s")


def test_a_page_of_a_stranger_neither_reads_nor_frames_nor_stops_anything(
    chromium: Browser, watched: tuple[Flower, Events]
) -> None:
    flower, _ = watched
    address = f"http://127.0.0.1:{flower.settings.flower_port}/flower"
    html = f"""<form method=post action="{address}/api/worker/shutdown/scorer@one"></form>
        <iframe src="{address}/tasks"></iframe>"""
    with stranger(html) as theirs, page_of(chromium, f"{address}/tasks") as (page, _):
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(theirs)
        read = f"fetch('{address}/api/tasks', {{credentials: 'include'}}).then(() => 'read').catch(() => 'refused')"
        assert page.evaluate(read) == "refused"
        assert any("frame-ancestors" in text for text in refused)
        page.evaluate("document.forms[0].submit()")
        expect(page.locator("body")).to_have_text("Cross-site request forbidden")


@contextmanager
def stranger(html: str) -> Iterator[str]:
    """Another site, whose page this is; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
