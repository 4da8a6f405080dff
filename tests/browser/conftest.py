"""A line as `digitline up` runs it, and Chromium, which fails a test whose page says that something is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from core.database import Database
from core.ledger import jobs
from core.settings import Settings
from core.vocabulary import Runtime
from tests.browser.chromium import launched
from tests.digits import digit_folder, string_picture
from tests.processes import LineProcess, running
from tests.servers import free_port
from tests.waiting import wait_until
from worker.process import READY

#: Images of the folder that tests upload: digits in class folders, and some that are none.
DIGITS, OTHERS = 120, 4
MISSING = "/jobs/999"
HOSTILE = "<img src=x onerror=alert(1)>.png"

#: Opens the page: Page = visit("/jobs", width=360, dark=True, scripts=False).
Visit = Callable[..., Page]


@dataclass(frozen=True)
class Line:
    """A line that runs, and where its page is."""

    settings: Settings
    process: LineProcess

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.web_port}"

    @property
    def database(self) -> Database:
        return Database(self.settings.database)


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """`digitline up` in a home of its own; it is slow to start, so all tests have one, and look at jobs of their own."""
    folder = tmp_path_factory.mktemp("line")
    settings = Settings(
        home=folder / "home",
        web_port=free_port(),
        flower_port=free_port(),
        runtime=Runtime.LITERT,
        concurrency=1,
        batch_size=20,
        settle_time=0.3,
        scan_interval=0.3,
        # Nothing goes without a word, so that there is something to review.
        target_error=0.0005,
    )
    with running(settings, "up", log=folder / "up.log") as process:
        process.says(READY)
        process.says("the web page is at")
        yield Line(settings, process)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser, line: Line) -> Iterator[Visit]:
    """Opens pages; at the end none of them may have complained, of a script's error or of what the policy forbids."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(path: str, *, width: int = 1200, dark: bool = False, scripts: bool = True) -> Page:
        context = chromium.new_context(
            base_url=line.url,
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
        page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _is_complaint(said: ConsoleMessage) -> bool:
    """Whether Chromium says that something is wrong; of a page that is not there it is meant to."""
    return said.type in ("error", "warning") and not said.location["url"].endswith(MISSING)


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as somebody might drop it: `0/` to `9/`, a picture of several digits, a text, a hostile name."""
    folder = tmp_path_factory.mktemp("scans") / "scans"
    digit_folder(folder, DIGITS)
    string_picture(folder / "three.png", [0, 1, 2])
    (folder / "notes.txt").write_text("no picture")
    (folder / "torn.png").write_bytes((folder / "0" / "00003.png").read_bytes()[:90])
    shutil.copy(folder / "0" / "00003.png", folder / HOSTILE)
    return folder


@pytest.fixture(scope="session")
def scored(line: Line, scans: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a job that is done."""
    staging = tmp_path_factory.mktemp("staging") / "monday"
    shutil.copytree(scans, staging)
    shutil.move(staging, line.settings.inbox_folder / "monday")

    def done() -> str | None:
        found = [job for job in jobs.newest(line.database, 20) if job.name == "monday" and job.state.ended]
        return f"/jobs/{found[0].id}" if found else None

    return wait_until(done, "the folder is scored", 120)
