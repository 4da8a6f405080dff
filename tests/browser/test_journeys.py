"""What people do on the page, from the first image to the export, in a real browser."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import DIGITS, HOSTILE, OTHERS, Visit

#: Milliseconds until a job is scored.
_SCORED = 120_000


def number(page: Page, name: str) -> int:
    """The figure of a tile."""
    return int(
        page.locator(".tile", has_text=re.compile(f"\\d{name}$")).locator("b").first.inner_text().replace(",", "")
    )


def test_a_folder_is_uploaded_watched_opened_reviewed_and_exported(visit: Visit, scans: Path, tmp_path: Path) -> None:
    page = visit("/upload")
    page.set_input_files("#folder", scans)
    page.wait_for_url("**/upload/arrived?*")
    expect(page.get_by_role("heading", level=1)).to_have_text("scans is in the inbox")

    page.wait_for_url(re.compile(r"/jobs/\d+$"), timeout=_SCORED)
    # It changes by itself.
    expect(page.locator("h1 .state")).to_have_text("done", timeout=_SCORED)
    expect(page.get_by_role("heading", level=1)).to_contain_text("scans")
    assert number(page, "images found") == DIGITS + OTHERS
    assert number(page, "scored") + number(page, "rejected") == DIGITS + OTHERS

    sevens = page.get_by_role("link", name=re.compile("^7 read as 7:"))
    count = int(sevens.inner_text())
    sevens.click()
    expect(page.locator(".shot")).to_have_count(count)
    page.locator(".shot a").first.click()
    expect(page.get_by_role("heading", name="What the network says")).to_be_visible(timeout=60_000)
    expect(page.locator(".bars tbody tr")).to_have_count(10)
    page.go_back()
    page.go_back()

    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    file = tmp_path / "results.csv"
    download.value.save_as(file)
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == DIGITS + OTHERS
    # What came by a browser has a name that is harmless everywhere.
    assert "_img src=x onerror=alert(1)_.png" in {row["path"] for row in rows}


def test_images_dragged_onto_the_page_become_a_job(visit: Visit, scans: Path) -> None:
    page = visit("/upload")
    page.get_by_label("Name").fill("dragged <b>here</b>")
    files = [[path.name, list(path.read_bytes())] for path in sorted((scans / "1").iterdir())[:3]]
    page.evaluate(
        """files => {
            const data = new DataTransfer();
            for (const [name, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name));
            document.getElementById("well").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        files,
    )
    page.wait_for_url(re.compile(r"/jobs/\d+$"), timeout=_SCORED)
    expect(page.locator("h1 .state")).to_have_text("done", timeout=_SCORED)
    expect(page.get_by_role("heading", level=1)).to_contain_text("dragged _b_here__b_")
    assert number(page, "images found") == 3


def test_an_upload_that_is_too_large_is_refused_before_it_is_sent(visit: Visit, scans: Path) -> None:
    page = visit("/upload")
    page.evaluate("document.getElementById('upload').dataset.files = 2")
    page.set_input_files("#folder", scans)
    expect(page.get_by_role("status")).to_contain_text("more than are allowed at once")
    expect(page.locator("#upload")).not_to_have_attribute("inert", "")


def test_without_scripts_images_are_uploaded_and_a_job_is_found(visit: Visit, scans: Path) -> None:
    page = visit("/upload", scripts=False)
    page.set_input_files("#images", sorted((scans / "2").iterdir())[:2])
    page.get_by_label("Name").fill("plain")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/jobs/\d+$"), timeout=_SCORED)
    expect(page.get_by_role("heading", level=1)).to_contain_text("plain")


def test_doubtful_images_are_reviewed_by_keys_and_a_word_is_taken_back(visit: Visit, scored: str) -> None:
    job = scored.rpartition("/")[2]
    page = visit(f"/review?job={job}")
    path, left = page.locator("#path"), page.locator("#left b").first
    first, before = path.inner_text(), left.inner_text()
    page.keyboard.press("7")
    expect(path).not_to_have_text(first)
    page.keyboard.press("u")
    expect(path).to_have_text(first)
    expect(left).to_have_text(before)
    page.keyboard.press("x")
    expect(path).not_to_have_text(first)
    expect(page.locator("#wrong")).to_be_hidden()


def test_the_gallery_is_filtered_and_its_filters_are_kept(visit: Visit, scored: str) -> None:
    page = visit(f"/images?job={scored.rpartition('/')[2]}")
    expect(page.locator(".shot")).to_have_count(60)
    page.get_by_role("link", name="Next page").click()
    expect(page.locator(".shot")).to_have_count(60)
    page.get_by_label("rejected for").select_option("truncated")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".shot")).to_have_count(1)
    expect(page.locator(".shot")).to_contain_text("torn.png")
    expect(page.get_by_label("rejected for")).to_have_value("truncated")


def test_pictures_are_shown_and_a_hostile_name_is_a_name(visit: Visit, scored: str) -> None:
    page = visit(f"/images?job={scored.rpartition('/')[2]}&label=0&verdict=&least=0")
    page.wait_for_load_state("networkidle")
    shown = page.evaluate("[...document.querySelectorAll('.picture')].slice(0, 8).map(one => one.naturalWidth)")
    assert shown == [28] * 8
    page.goto("/images")
    expect(page.locator("body")).to_contain_text(HOSTILE)


def test_the_page_can_be_used_by_keyboard_alone(visit: Visit, scored: str) -> None:
    page = visit(scored)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_what_the_page_exports_as_json_is_what_the_job_found(visit: Visit, scored: str) -> None:
    page = visit(scored)
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert {json.loads(line)["status"] for line in lines} == {"scored", "rejected"}
