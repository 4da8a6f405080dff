"""Every page is fit for everybody: axe finds no serious fault, nothing runs over a small screen, and paper takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy import insert, select

from core import tables
from core.ledger import corrections, models
from core.ledger.corrections import Place, Word
from tests.browser.conftest import HOSTILE, MISSING, Line, Visit

#: Where each page is; {job} is a job that is done and reviewed in part, {model} a model that read some of it otherwise.
PAGES = {
    "jobs": "/jobs",
    "job": "/jobs/{job}",
    "batches": "/jobs/{job}/batches",
    "images": "/images?job={job}",
    "image": "/images?job={job}",
    "upload": "/upload",
    "refused upload": "/upload",
    "arrived": "/upload/arrived?name=x&after=0",
    "review": "/review?job={job}",
    "wrong review": "/review?job={job}",
    "reviewed": "/review?job={job}",
    "learn": "/learn",
    "learn from a job": "/learn?job={job}",
    "models": "/models",
    "model": "/models/{model}",
    "compared": "/models/compare?model={model}&job={job}",
    "missing": MISSING,
}
#: How it is looked at.
LOOKS = {"light": {}, "dark": {"dark": True}, "narrow": {"width": 360}}


@pytest.fixture(scope="session")
def job(line: Line, scored: str) -> int:
    """A job of which somebody has reviewed an image."""
    number = int(scored.rpartition("/")[2])
    database = line.database
    with database.read() as connection:
        batch = connection.scalar(select(tables.batches.c.id).where(tables.batches.c.job_id == number).limit(1))
    corrections.say(database, Place(batch, 0), Word.of("several"), by=HOSTILE)
    database.close()
    return number


@pytest.fixture(scope="session")
def model(line: Line, job: int) -> int:
    """A second model, which read every image of a batch as a seven, in the shadow."""
    database = line.database
    # A card is somebody else's: what it lacks is not shown.
    card = {"name": HOSTILE, "command": HOSTILE, "test": {"accuracy": 0.5}, "fast": {"file": HOSTILE}}
    found = models.register(database, name=HOSTILE, sha256="6" * 64, location=f"/{HOSTILE}", card=card)
    scored = tables.predictions.c
    with database.begin() as connection:
        batch = select(tables.batches.c.id).where(tables.batches.c.job_id == job).limit(1).scalar_subquery()
        read = connection.execute(select(scored.batch_id, scored.position).where(scored.batch_id == batch))
        said = [{**row._mapping, "model_id": found.id, "label": 7, "confidence": 0.9} for row in read]
        connection.execute(insert(tables.shadow_predictions), said)
    database.close()
    return found.id


def opened(visit: Visit, name: str, job: int, model: int, **look: object) -> Page:
    """A page in the state that its name says."""
    page = visit(PAGES[name].format(job=job, model=model), **look)
    match name:
        case "image":
            page.locator(".shot a").first.click()
            page.locator(".bars").first.wait_for(timeout=60_000)
        case "refused upload":
            page.evaluate("document.getElementById('upload').dataset.files = 0")
            page.set_input_files("#images", __file__)
            page.get_by_role("button", name="Upload").click()
            expect(page.get_by_role("status")).to_contain_text("more than are allowed")
        case "wrong review":
            page.evaluate("complain(new Error('Nobody knows that image.'))")
            expect(page.get_by_role("alert")).to_be_visible()
        case "reviewed":
            page.evaluate("sending")  # until nothing is asked for any more
            page.evaluate("queue = []; show(); tell('several digits: a.png.')")
            expect(page.locator("#done")).to_be_visible()
    return page


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_fault_and_nothing_runs_over(
    visit: Visit, job: int, model: int, name: str, look: str
) -> None:
    page = opened(visit, name, job, model, **LOOKS[look])
    found = Axe().run(page).response["violations"]
    serious = {
        fault["id"]: [node["html"] for node in fault["nodes"]]
        for fault in found
        if fault["impact"] in ("serious", "critical")
    }
    assert serious == {}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_two_models_are_shown_side_by_side_where_they_differ(visit: Visit, job: int, model: int) -> None:
    page = opened(visit, "compared", job, model)
    shots = page.locator(".shot")
    expect(shots.first).to_contain_text(HOSTILE)
    for shot in shots.all():
        theirs, others = shot.locator("b").all_inner_texts()
        assert (theirs != others, others) == (True, "7")
        assert shot.locator("img").count() == 2
    page.get_by_role("link", name="Review these").click()
    expect(page.locator("#stage")).to_be_visible()


def test_a_job_and_its_report_print_on_a_few_sheets(visit: Visit, scored: str, tmp_path: Path) -> None:
    page = visit(scored)
    for name, there in (("job", scored), ("report", f"{scored}/results.html")):
        page.goto(there)
        page.pdf(path=tmp_path / f"{name}.pdf", format="A4")
        sheets = (tmp_path / f"{name}.pdf").read_bytes().count(b"/Type /Page\n")
        assert 1 <= sheets <= 8, name
