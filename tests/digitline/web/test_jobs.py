"""The list of jobs and a job's page: what is true of a job is on it, and leads to the images behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import httpx
import pytest
from sqlalchemy import update

from core import tables
from core.ledger import batches, jobs, sweeps
from core.queues import SCORE_BATCH
from core.settings import get_settings
from core.vocabulary import Job, JobState
from tests.core.examples import MAX_ATTEMPTS, create_job, exhaust, new_job, outcome, score, take
from tests.digitline.web.conftest import Serve, Site


def links(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [address.replace("&amp;", "&") for address in re.findall(r'href="([^"]+)"', answer.text)]


def test_a_ledger_without_jobs_says_how_to_begin(site: Site) -> None:
    page = site.client.get("/", follow_redirects=True)
    assert page.url.path == "/jobs"
    assert "There is no job yet" in page.text
    assert "/upload" in links(page)


def test_the_list_shows_accounts_and_accuracy(site: Site, mixed: jobs.Job) -> None:
    page = site.client.get("/jobs").text
    cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", page, re.DOTALL)]
    assert [cells[0], cells[1].split()[0], cells[2]] == [str(mixed.id), "scans", "done"]
    assert cells[4:8] == ["12", "11", "1", "0"]
    assert "90.00%" in cells


@pytest.mark.usefixtures("mixed")
def test_the_list_is_asked_for_again_only_while_a_job_is_open(site: Site) -> None:
    assert "every 2s" not in site.client.get("/jobs").text
    jobs.create(site.database, new_job([2]))
    page = site.client.get("/jobs").text
    assert 'hx-trigger="every 2s"' in page
    table = site.client.get("/jobs", headers={"HX-Request": "true"}).text
    assert table in page
    assert "<html" not in table


def test_many_jobs_have_pages_by_number(site: Site) -> None:
    create_job(site.database)
    for _ in range(26):
        jobs.create(site.database, new_job())
    first = site.client.get("/jobs")
    (older,) = [link for link in links(first) if "before" in link]
    (newer,) = re.findall(r'href="([^"]+)" rel="prev"', site.client.get(older).text)
    newest = [link for link in links(site.client.get(newer)) if re.fullmatch(r"/jobs/\d+", link)]
    assert newest == [f"/jobs/{number}" for number in range(27, 2, -1)]
    shown = [
        link for page in (first, site.client.get(older)) for link in links(page) if re.fullmatch(r"/jobs/\d+", link)
    ]
    assert shown == [f"/jobs/{number}" for number in range(27, 0, -1)]
    assert "older than that" in site.client.get("/jobs?before=1").text


def test_a_cell_of_the_matrix_opens_its_images(site: Site, mixed: jobs.Job) -> None:
    page = site.client.get(f"/jobs/{mixed.id}")
    cells = [link for link in links(page) if "true=" in link]
    assert f"/images?job={mixed.id}&true=9&label=4" in cells
    assert len(cells) == 12
    for cell in cells:
        shown = site.client.get(cell).text
        assert shown.count('class="shot"') == 1, cell
    assert "9.png" in site.client.get(f"/images?job={mixed.id}&true=9&label=4").text


def test_every_figure_leads_to_as_many_images_as_it_says(site: Site, mixed: jobs.Job) -> None:
    page = site.client.get(f"/jobs/{mixed.id}").text
    found = re.findall(r'<b><a href="([^"]+)">(\d+)</a>', page)
    found += re.findall(r'<a href="([^"]+)">\s*<span class="figure">(\d+)<', page)
    found += re.findall(r'<td><a href="([^"]+reason=\w+)">\w+</a></td><td class="number">(\d+)<', page)
    assert len(found) > 10
    for link, count in found:
        assert site.client.get(link.replace("&amp;", "&")).text.count('class="shot"') == int(count), link


def test_a_job_without_true_labels_has_no_matrix_and_says_nothing_of_accuracy(site: Site) -> None:
    job = create_job(site.database, [3])
    score(site.database, job)
    page = site.client.get(f"/jobs/{job.id}").text
    assert "matrix" not in page.partition("<main")[2]
    assert "accuracy" not in page


def test_progress_is_asked_for_until_the_job_ends_and_then_the_page_is_shown_anew(site: Site) -> None:
    job = create_job(site.database, [2, 2])
    first, second = batches.of_job(site.database, job.id)
    lease = take(site.database, first)
    batches.finish(site.database, lease, outcome(lease))
    (asked,) = re.findall(r'hx-get="([^"]+progress[^"]+)"', site.client.get(f"/jobs/{job.id}").text)
    running = site.client.get(asked)
    assert 'value="50.0"' in running.text
    assert "hx-refresh" not in running.headers
    lease = take(site.database, second)
    batches.finish(site.database, lease, outcome(lease))
    ended = site.client.get(asked)
    assert ended.headers["hx-refresh"] == "true"
    assert "hx-get" not in ended.text


def test_batches_have_pages(site: Site) -> None:
    job = create_job(site.database, [1] * 101)
    page = site.client.get(f"/jobs/{job.id}")
    assert f"/jobs/{job.id}/batches" in links(page)
    assert "Flower" not in page.text
    (following,) = [link for link in links(site.client.get(f"/jobs/{job.id}/batches")) if "after=" in link]
    last = site.client.get(following)
    assert re.findall(r'<tr><td class="number">(\d+)</td>', last.text) == ["101"]
    assert f"/jobs/{job.id}/batches" in re.findall(r'href="([^"]+)" rel="prev"', last.text)


@pytest.mark.usefixtures("home")
def test_batches_lead_to_their_tasks_in_flower(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_WEB_FLOWER_URL", "http://flower.example/f")
    get_settings.cache_clear()
    with serve() as site:
        job = create_job(site.database, [1, 1])
        for page in (f"/jobs/{job.id}", f"/jobs/{job.id}/batches"):
            tasks = [unquote(link.partition("?name=")[2]) for link in links(site.client.get(page)) if "flower" in link]
            assert tasks == [f"{SCORE_BATCH} job-{job.id}-batch-{which}" for which in ("1-", "2-", "")]


def test_a_job_is_paused_resumed_and_cancelled(site: Site) -> None:
    job = create_job(site.database, [2])
    for action, state in (("pause", JobState.PAUSED), ("resume", JobState.QUEUED), ("cancel", JobState.CANCELLED)):
        form = f'action="/jobs/{job.id}/{action}"'
        assert form in site.client.get(f"/jobs/{job.id}").text
        answer = site.post(f"/jobs/{job.id}/{action}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
        assert jobs.get(site.database, job.id).state is state
    again = site.post(f"/jobs/{job.id}/cancel")
    assert (again.status_code, "cancelled" in again.text) == (409, True)
    assert site.post(f"/jobs/{job.id}/burn").status_code == 400


def test_what_went_wrong_is_on_the_page(site: Site) -> None:
    job = create_job(site.database, [2])
    (batch,) = batches.of_job(site.database, job.id)
    lease = take(site.database, batch)
    batches.release(site.database, lease, "the share is <gone>")
    assert "the share is &lt;gone&gt;" in site.client.get(f"/jobs/{job.id}").text


def _failed(site: Site) -> Job:
    job = create_job(site.database, [2])
    exhaust(site.database, batches.of_job(site.database, job.id)[0])
    sweeps.quarantine_exhausted(site.database, MAX_ATTEMPTS)
    return job


def _scored(site: Site, labels: list[int] | None, **options: object) -> Job:
    job = create_job(site.database, [2], **options)
    with site.database.begin() as connection:
        manifest = {"paths": ["1/0.png", "1/1.png"], "true_labels": labels}
        connection.execute(update(tables.batches).values(manifest=manifest))
    score(site.database, job)
    return job


def _steered(site: Site, action: str) -> Job:
    job = create_job(site.database, [2, 2])
    site.post(f"/jobs/{job.id}/{action}")
    return job


#: Jobs as there are few, by what is odd about them.
ODD: dict[str, Callable[[Site], Job]] = {
    "without images": lambda site: create_job(site.database, []),
    "failed": _failed,
    "cancelled": lambda site: _steered(site, "cancel"),
    "paused": lambda site: _steered(site, "pause"),
    "without labels": lambda site: _scored(site, None),
    "with one label": lambda site: _scored(site, [0, None]),
    "with a long name": lambda site: _scored(site, None, name="ä" * 200),
    "with a hostile name": lambda site: _scored(site, None, name="</title><script>alert(1)</script>\n\udcff\u202e"),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_job_has_all_its_pages(site: Site, odd: str) -> None:
    job = ODD[odd](site)
    forms = [f"/jobs/{job.id}/results.{form}" for form in ("csv", "json", "parquet", "html")]
    for address in ("/jobs", f"/jobs/{job.id}", f"/jobs/{job.id}/batches", f"/images?job={job.id}", *forms):
        answer = site.client.get(address)
        assert answer.status_code == 200, address
        assert b"<script>alert" not in answer.content or "html" not in answer.headers["content-type"]
