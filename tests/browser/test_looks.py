"""Every page is fit for everybody: axe finds no serious fault, nothing runs over a small screen, and paper takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import MISSING, Visit

PAGES = ("jobs", "job", "batches", "images", "image", "upload", "arrived", "review", "learn", "models", "missing")


def address(name: str, job: str) -> str:
    number = job.rpartition("/")[2]
    return {
        "job": job,
        "batches": f"{job}/batches",
        "images": f"/images?job={number}",
        "image": f"/images?job={number}",
        "arrived": "/upload/arrived?name=x&after=0",
        "missing": MISSING,
        "review": f"/review?job={number}",
    }.get(name, f"/{name}")


def opened(visit: Visit, name: str, job: str, **options: object) -> Page:
    page = visit(address(name, job), **options)
    if name == "image":
        page.locator(".shot a").first.click()
        page.locator(".bars").first.wait_for(timeout=60_000)
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_fault(visit: Visit, scored: str, name: str, dark: bool) -> None:
    page = opened(visit, name, scored, dark=dark)
    found = Axe().run(page).response["violations"]
    serious = {
        fault["id"]: [node["html"] for node in fault["nodes"]]
        for fault in found
        if fault["impact"] in ("serious", "critical")
    }
    assert serious == {}


@pytest.mark.parametrize("name", PAGES)
def test_nothing_runs_over_a_small_screen(visit: Visit, scored: str, name: str) -> None:
    page = opened(visit, name, scored, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_job_and_its_report_print_on_a_few_sheets(visit: Visit, scored: str, tmp_path: Path) -> None:
    page = visit(scored)
    for name, there in (("job", scored), ("report", f"{scored}/results.html")):
        page.goto(there)
        page.pdf(path=tmp_path / f"{name}.pdf", format="A4")
        sheets = (tmp_path / f"{name}.pdf").read_bytes().count(b"/Type /Page\n")
        assert 1 <= sheets <= 8, name
