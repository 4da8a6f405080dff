"""Takes the pictures of docs/flower.md: a real line, real digits, a real browser. `make screenshots` runs it.

Of 400 digits one file is damaged, one is no image, and one ends every process that looks at it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from core.crash import ALWAYS
from core.settings import Settings
from core.vocabulary import Runtime
from tests.browser.chromium import launched
from tests.digits import digit_folder
from tests.environment import ROOT
from tests.processes import LineProcess
from tests.servers import free_port
from tests.waiting import wait_until
from worker.process import READY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

#: Colours of a picture: few are enough for a page, and take a quarter of the bytes.
_COLOURS = 128
_POISON = "7/00017.png"
_PATIENCE = 180.0


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder, _line(Path(folder)) as settings, _page() as page:
        shutil.move(_drop(Path(folder) / "scans"), settings.inbox_folder / "scans")
        wait_until(lambda: [*settings.done_folder.glob("*scans*")], "the job is filed", _PATIENCE)
        address = f"http://127.0.0.1:{settings.flower_port}"
        page.goto(f"{address}/tasks")
        page.wait_for_selector("tr.table-danger:has-text('quarantined')")
        _take(page, output / "flower-tasks.png")
        page.click("tr.table-danger:has-text('quarantined') a")
        page.wait_for_selector("#task-page")
        _take(page, output / "flower-task.png")


@contextmanager
def _line(folder: Path) -> Iterator[Settings]:
    """A line with one worker process; a picture that ends it stands in for a hole in a decoder."""
    crash = folder / "crash"
    crash.mkdir()
    (crash / f"look.{_POISON}".replace("/", "_")).write_text(ALWAYS)
    settings = Settings(
        home=folder / "home",
        runtime=Runtime.LITERT,
        concurrency=1,
        batch_size=50,
        flower_port=free_port(),
        web_port=free_port(),
        settle_time=0.5,
        lease_time=6.0,
        resend_after=2.0,
        sweep_interval=1.0,
        crash_points=crash,
    )
    line = LineProcess(settings, "up", log=folder / "up.log")
    try:
        line.says(READY)
        yield settings
    finally:
        line.stop()
        line.close()


def _drop(folder: Path) -> Path:
    digit_folder(folder, 400)
    whole = next((folder / "5").glob("*.png"))
    (folder / "5" / "torn.png").write_bytes(whole.read_bytes()[:150])
    (folder / "3" / "notes.txt").write_text("not a picture")
    return folder


@contextmanager
def _page() -> Iterator[Page]:
    with launched() as browser:
        yield browser.new_page(viewport={"width": 1280, "height": 780})


def _take(page: Page, path: Path) -> None:
    page.wait_for_timeout(500)  # for the bars and badges to be drawn
    page.screenshot(path=path)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
