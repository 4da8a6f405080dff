"""The browser that tests and pictures drive: Debian's Chromium, or the one that CHROMIUM names, without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright


@contextmanager
def launched() -> Iterator[Browser]:
    """Start it, and end it afterwards.

    Raises:
        FileNotFoundError: it is not there.
    """
    name = os.environ.get("CHROMIUM") or "chromium"
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"There is no browser {name!r}; `make test-web` installs Chromium, or says how.")
    # Root has no sandbox, in a container least of all; nothing but our own pages is opened.
    options = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()
