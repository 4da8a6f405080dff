"""Review as a person does it: by keys alone, by mouse, two at once, and with what the browser brings to a screen reader."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy import delete, select, update

from core import tables
from core.database import Database
from core.ledger import corrected, jobs, reviews
from tests.browser.conftest import Line, Visit
from tests.processes import running
from tests.servers import free_port
from tests.waiting import wait_until


@pytest.fixture
def database(line: Line) -> Iterator[Database]:
    """The ledger of the line, in which nobody has said anything, before and after."""
    database = line.database
    _forget(database)
    yield database
    _forget(database)
    database.close()


def _forget(database: Database) -> None:
    with database.begin() as connection:
        for table in (tables.corrections, tables.review_leases):
            connection.execute(delete(table))


@pytest.fixture(scope="session")
def number(line: Line, scans: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """A job of its own, of whose images none is sure."""
    staging = tmp_path_factory.mktemp("staging") / "tuesday"
    shutil.copytree(scans, staging)
    shutil.move(staging, line.settings.inbox_folder / "tuesday")

    def done() -> int | None:
        found = [job for job in jobs.newest(line.database, 20) if job.name == "tuesday" and job.state.ended]
        return found[0].id if found else None

    number = wait_until(done, "the folder is scored", 120)
    doubted = update(tables.predictions).where(
        tables.predictions.c.batch_id.in_(select(tables.batches.c.id).where(tables.batches.c.job_id == number))
    )
    confidence = 0.3 + tables.predictions.c.position / 100.0 + tables.predictions.c.batch_id / 1000.0
    with line.database.begin() as connection:
        connection.execute(doubted.values(verdict="uncertain", confidence=confidence))
    return number


@pytest.fixture
def address(number: int) -> str:
    """Of the review of the job."""
    return f"/review?job={number}"


def path_of(page: Page) -> str:
    """Path of the image that is shown."""
    return page.locator("#path").inner_text()


def said(page: Page) -> str:
    """What a screen reader is told."""
    return page.locator("#said").inner_text()


def tell(page: Page, key: str) -> str:
    """Press a key, and wait until another image is shown; returns the path of the one before."""
    before = path_of(page)
    page.keyboard.press(key)
    expect(page.locator("#path")).not_to_have_text(before)
    return before


def words(database: Database, count: int) -> dict[str, str]:
    """What stands, by path, once there is so much of it."""

    def stand() -> tuple[dict[str, str]] | None:
        found = {one.path: str(one.word) for one in corrected.every(database)}
        return (found,) if len(found) == count else None

    (found,) = wait_until(stand, f"{count} words stand")
    return found


def test_keys_say_what_an_image_shows_and_undo_goes_back_step_by_step(
    visit: Visit, address: str, database: Database
) -> None:
    page = visit(address)
    expect(page.locator("#stage")).to_be_focused()
    agreed = page.locator("#agree").get_attribute("value")
    order = [tell(page, key) for key in (" ", "7", "x", "s")]
    assert words(database, 4) == dict(zip(order, (agreed, "7", "not_a_digit", "several"), strict=True))
    assert order[3] in said(page)
    assert "left. Next: read as" in said(page)
    for path in reversed(order[1:]):
        page.keyboard.press("u")
        expect(page.locator("#path")).to_have_text(path)
        assert "Taken back" in said(page)
    assert words(database, 1) == {order[0]: agreed}
    expect(page.locator("#stage")).to_be_focused()


def test_what_was_said_survives_that_the_page_is_loaded_anew(visit: Visit, address: str, database: Database) -> None:
    page = visit(address)
    first, second = tell(page, "3"), path_of(page)
    words(database, 1)
    page.reload()
    expect(page.locator("#path")).to_have_text(second)
    page.keyboard.press("u")
    expect(page.locator("#path")).to_have_text(first)
    assert words(database, 0) == {}


def test_who_leaves_the_page_at_once_has_said_it_all_the_same(visit: Visit, address: str, database: Database) -> None:
    page = visit(address)
    page.wait_for_load_state("networkidle")
    for key in "12345":
        page.keyboard.press(key)
    page.goto("/jobs")
    assert sorted(words(database, 5).values()) == [*"12345"]


def test_two_reviewers_see_different_images_and_who_leaves_gives_back(
    visit: Visit, address: str, database: Database
) -> None:
    ada, bob = visit(address), visit(address)
    mine = {tell(ada, "1") for _ in range(4)}
    theirs = {tell(bob, "2") for _ in range(4)}
    assert mine.isdisjoint(theirs)
    assert set(words(database, 8).values()) == {"1", "2"}
    next_of_ada = path_of(ada)
    ada.goto("/jobs")
    others = visit(address)
    expect(others.locator("#path")).to_have_text(next_of_ada)


def test_all_can_be_done_by_buttons_and_the_keys_stay_where_they_were(
    visit: Visit, address: str, database: Database
) -> None:
    page = visit(address)
    first = path_of(page)
    page.get_by_role("button", name="5", exact=True).click()
    expect(page.locator("#path")).not_to_have_text(first)
    second = tell(page, " ")
    assert set(words(database, 2)) == {first, second}
    third = path_of(page)
    page.get_by_role("button", name="Later").click()
    expect(page.locator("#path")).not_to_have_text(third)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#path")).to_have_text(second)


def test_the_tabulator_reaches_every_button_and_enter_presses_it(
    visit: Visit, address: str, database: Database
) -> None:
    page = visit(address)
    first = path_of(page)
    page.get_by_role("button", name="0", exact=True).focus()
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#path")).not_to_have_text(first)
    assert words(database, 1) == {first: "4"}


def test_single_keys_can_be_switched_off_and_do_nothing_while_one_types(
    visit: Visit, address: str, database: Database
) -> None:
    page = visit(address)
    first = path_of(page)
    page.get_by_label("your name").fill("7")
    page.get_by_label("your name").press("x")
    page.get_by_label("single keys work").uncheck()
    page.locator("#stage").focus()
    page.keyboard.press("7")
    page.get_by_label("single keys work").check()
    page.locator("#stage").focus()
    expect(page.locator("#path")).to_have_text(first)
    tell(page, "8")
    assert words(database, 1) == {first: "8"}


def test_without_a_script_the_buttons_do_it_all(visit: Visit, address: str, database: Database) -> None:
    page = visit(address, scripts=False)
    page.get_by_role("button", name="6", exact=True).click()
    assert list(words(database, 1).values()) == ["6"]
    page.get_by_role("button", name="Undo").click()
    assert words(database, 0) == {}


def test_axe_finds_nothing_while_one_reviews(visit: Visit, address: str, database: Database) -> None:
    page = visit(address)
    tell(page, "x")
    assert [fault["id"] for fault in Axe().run(page).response["violations"]] == []
    assert len(words(database, 1)) == 1


def test_a_queue_that_is_empty_says_so(visit: Visit, address: str, number: int, database: Database) -> None:
    reviews.hand_out(database, "somebody else", job_id=number, count=500)
    page = visit(address)
    expect(page.locator("#done")).to_be_visible()
    expect(page.locator("#stage")).to_be_hidden()


def test_a_word_is_in_the_matrix_at_once_and_out_of_it_when_it_is_taken_back(
    visit: Visit, address: str, number: int, database: Database
) -> None:
    page, watching = visit(address), visit(f"/jobs/{number}")
    read = int(page.locator("#read").inner_text())
    word = (read + 1) % 10

    def cell() -> int:
        watching.reload()
        found = watching.get_by_role("link", name=re.compile(f"^{word} read as {read}:"))
        return int(found.inner_text()) if found.count() else 0

    before = cell()
    tell(page, str(word))
    words(database, 1)
    assert cell() == before + 1
    assert jobs.get(database, number).reviewed == 1
    page.keyboard.press("u")
    words(database, 0)
    assert cell() == before


def test_a_restart_of_the_page_in_the_middle_loses_no_word_and_review_goes_on(
    visit: Visit, line: Line, number: int, database: Database, tmp_path: Path
) -> None:
    settings = line.settings.model_copy(update={"web_port": free_port()})
    page = visit("/jobs")
    with running(settings, "web", log=tmp_path / "web.log") as web:
        web.says("the web page is at")
        page.goto(f"http://127.0.0.1:{settings.web_port}/review?job={number}")
        first = tell(page, "7")
        words(database, 1)
        second = path_of(page)
        page.evaluate("sending")  # until nothing is asked for any more
        web.stop()
    with running(settings, "web", log=tmp_path / "again.log") as web:
        web.says("the web page is at")
        assert tell(page, "8") == second
        assert words(database, 2) == {first: "7", second: "8"}
        page.keyboard.press("u")
        page.keyboard.press("u")
        expect(page.locator("#path")).to_have_text(first)
        assert words(database, 0) == {}
        page.goto(line.url)


def test_what_was_reviewed_is_taken_along_in_all_three_forms(
    visit: Visit, address: str, database: Database, scans: Path
) -> None:
    page = visit(address)
    path = tell(page, "4")
    words(database, 1)
    page.goto("/learn")

    def taken(name: str) -> bytes:
        with page.expect_download() as started:
            page.get_by_role("link", name=name, exact=True).click()
        return Path(started.value.path()).read_bytes()

    with zipfile.ZipFile(io.BytesIO(taken("Class folders (ZIP)"))) as archive:
        (name,) = archive.namelist()
        assert name.startswith("4/")
        assert archive.read(name) == (scans / path).read_bytes()
    (row,) = csv.DictReader(io.StringIO(taken("CSV").decode()))
    assert (row["path"], row["label"]) == (path, "4")
    (task,) = json.loads(taken("Label Studio"))
    assert task["annotations"][0]["result"][0]["value"] == {"choices": ["4"]}
