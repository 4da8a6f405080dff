"""`python -m tests.browser.pictures`: takes docs/images/web-*.png and report.png, of a line with the samples."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from core.database import Database
from core.ledger import jobs
from core.settings import Settings
from core.vocabulary import Runtime
from tests.browser.chromium import launched
from tests.digits import digit_folder, string_picture
from tests.processes import running
from tests.servers import free_port
from tests.waiting import wait_until
from worker.process import READY

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
#: Samples that are scored, and bytes of a picture at most.
SAMPLES, LARGEST = 10_000, 150_000


def main() -> None:
    """Take them all."""
    with _line() as settings, _page(settings) as page:
        _drop(settings)
        _take(page, "web-jobs", "/jobs", height=420)
        _take(page, "web-job", "/jobs/2", height=1180)
        _take(page, "web-images", "/images?job=2&agreement=wrong", height=700)
        _take(page, "web-image", "/images/1/3", height=1230, ready=".bars")
        _take(page, "web-upload", "/upload", height=480)
        _take(page, "web-review", "/review?job=2", height=900)
        _take(page, "report", "/jobs/2/results.html", height=1360, ready="body")


def _url(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.web_port}"


@contextmanager
def _line() -> Iterator[Settings]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="digitline-pictures-")))
        settings = Settings(
            home=folder / "home",
            web_port=free_port(),
            flower_port=free_port(),
            runtime=Runtime.LITERT,
            settle_time=0.3,
        )
        process = stack.enter_context(running(settings, "up", log=folder / "up.log"))
        process.says(READY, settings.processes)
        process.says("the web page is at")
        # In order, or its home is not empty yet when it is removed.
        stack.callback(process.stop, signal.SIGTERM)
        yield settings


@contextmanager
def _page(settings: Settings) -> Iterator[Page]:
    with launched() as browser:
        yield browser.new_page(base_url=_url(settings), viewport={"width": 1100, "height": 800})


def _drop(settings: Settings) -> None:
    """Have two folders scored: forms without labels, and labelled scans, some of which are none."""
    staging = settings.home_folder / "staging"
    forms, scans = staging / "forms", staging / "scans"
    for number in range(40):
        string_picture(forms / f"form-{number:02}.png", [number])
    digit_folder(scans, SAMPLES)
    string_picture(scans / "three.png", [0, 1, 2])
    (scans / "notes.txt").write_text("no picture")
    (scans / "torn.png").write_bytes((forms / "form-00.png").read_bytes()[:300])
    for folder in (forms, scans):
        folder.rename(settings.inbox_folder / folder.name)
        wait_until(lambda name=folder.name: _is_done(settings, name), f"{folder.name} is scored", 300)


def _is_done(settings: Settings, name: str) -> bool:
    database = Database(settings.database)
    found = [job for job in jobs.newest(database, 5) if job.name == name and job.state.ended]
    return bool(found) and not jobs.is_unfiled(database, found[0])


def _take(page: Page, name: str, path: str, *, height: int, ready: str = "main") -> None:
    page.set_viewport_size({"width": 1100, "height": height})
    page.goto(path)
    page.locator(ready).first.wait_for()
    page.wait_for_load_state("networkidle")
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file)
    with Image.open(file) as shown:
        # A page has few colours: a palette of them takes a third of the bytes.
        shown.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    if file.stat().st_size > LARGEST:
        raise SystemExit(f"{file} has {file.stat().st_size:,} bytes; {LARGEST:,} are allowed.")


if __name__ == "__main__":
    main()
