"""Review over the web: what is handed out, what is kept, what is taken back, and for whom."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.database import Database
from core.ledger import corrected, jobs, results
from core.vocabulary import Job
from tests.digitline.web.conftest import Scored, Serve, Site
from tests.digits import loose_digits

JSON = {"accept": "application/json"}


@pytest.fixture
def job(scored: Scored, site: Site, tmp_path: Path) -> Job:
    """A job of six images that are read as 0 to 5, of which a person is asked about all."""
    files = loose_digits(tmp_path / "scans", 6)
    found = scored(tmp_path / "scans", {file.name: place for place, file in enumerate(files)})
    with site.database.begin() as connection:
        connection.exec_driver_sql("UPDATE predictions SET verdict = 'uncertain', confidence = 0.3 + position / 10.0")
    return found


def ask(site: Site, address: str, **values: object) -> Any:
    """Send what the page's script sends; returns what it gets."""
    answer = site.post(address, data=values, headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.json()


def shown(answer: httpx.Response) -> list[dict[str, Any]]:
    """The images that a page of review begins with."""
    assert answer.status_code == 200
    return json.loads(unescape(answer.text.partition('data-images="')[2].partition('"')[0]) or "[]")


def words(database: Database) -> dict[str, str]:
    """What stands, by path."""
    return {one.path: f"{one.word} by {one.reviewed_by}" for one in corrected.every(database)}


def test_the_page_begins_with_the_least_certain_image_and_all_that_is_known_of_it(site: Site, job: Job) -> None:
    (image,) = shown(site.client.get("/review"))
    assert (image["label"], image["confidence"], image["verdict"], image["agree"]) == (0, 0.3, "uncertain", "0")
    assert image["runner_up"] == pytest.approx(0.3 - 0.5, abs=0.6)
    for picture in (image["original"], image["prepared"]):
        assert site.client.get(picture).headers["content-type"] == "image/png"
    text = site.client.get(f"/review?job={job.id}").text
    assert "<b>6</b> doubtful left" in text


def test_a_word_is_kept_with_who_and_counts_at_once(site: Site, job: Job) -> None:
    (image,) = shown(site.client.get("/review"))
    place = {name: image[name] for name in ("batch", "position")}
    kept = ask(site, "/review/say", **place, word="7")
    assert kept["id"] == 1
    assert [word.partition(" by ")[0] for word in words(site.database).values()] == ["7"]
    assert {(cell.actual, cell.predicted): cell.count for cell in results.job_confusion(site.database, job.id)} == {
        (7, 0): 1
    }
    answer = ask(site, "/review/next", count=3, left="1")
    assert [one["label"] for one in answer["images"]] == [1, 2, 3]
    assert answer["left"] == {"doubtful": 5, "unsure": 0}


def test_words_are_taken_back_one_after_the_other_and_their_images_come_back(site: Site, job: Job) -> None:
    site.client.get("/review")
    for word in ("7", "not_a_digit", "1947"):
        (image, *_) = ask(site, "/review/next", count=1)["images"]
        ask(site, "/review/say", batch=image["batch"], position=image["position"], word=word)
    assert len(words(site.database)) == 3
    for word, label in (("1947", 2), ("not_a_digit", 1), ("7", 0)):
        answer = ask(site, "/review/undo")
        assert (answer["word"], answer["image"]["label"]) == (word, label)
    assert ask(site, "/review/undo") == {"word": None, "image": None}
    assert words(site.database) == {}
    assert jobs.get(site.database, job.id).reviewed == 0


def test_without_a_script_a_button_leads_to_the_next_image(site: Site, job: Job) -> None:
    (image,) = shown(site.client.get(f"/review?job={job.id}"))
    sent = {"batch": image["batch"], "position": image["position"], "word": "several", "job": job.id}
    answer = site.post("/review/say", data=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/review?job={job.id}")
    assert shown(site.client.get(answer.headers["location"]))[0]["label"] == 1
    assert site.post("/review/undo", data={"job": job.id}).status_code == 303
    assert words(site.database) == {}


@pytest.mark.usefixtures("job")
def test_two_browsers_get_different_images_and_each_name_stands_by_its_words(site: Site) -> None:
    seen: set[int] = set()
    for name in ("Ada Lovelace", "Bob"):
        with httpx.Client(base_url=site.url, trust_env=False, headers={"Origin": site.url}) as client:
            client.get("/review")
            assert client.post("/review/name", data={"name": name}).status_code == 303
            assert f'value="{name}"' in client.get("/review").text
            images = client.post("/review/next", data={"count": 3}, headers=JSON).json()["images"]
            assert len(images) == 3
            seen |= {image["position"] for image in images}
            place = {"batch": images[0]["batch"], "position": images[0]["position"]}
            client.post("/review/say", data={**place, "word": "3"}, headers=JSON)
    assert seen == set(range(6))
    assert sorted(words(site.database).values()) == ["3 by Ada Lovelace", "3 by Bob"]


@pytest.mark.usefixtures("job")
def test_what_a_browser_leaves_is_there_for_others(site: Site) -> None:
    with httpx.Client(base_url=site.url, trust_env=False, headers={"Origin": site.url}) as client:
        client.get("/review")
        assert len(client.post("/review/next", data={"count": 6}, headers=JSON).json()["images"]) == 6
        assert shown(site.client.get("/review")) == []
        assert client.post("/review/leave").status_code == 204
    assert shown(site.client.get("/review"))[0]["label"] == 0


@pytest.mark.usefixtures("job")
def test_a_restart_of_the_page_loses_nothing(site: Site, serve: Serve) -> None:
    (image,) = shown(site.client.get("/review"))
    ask(site, "/review/say", batch=image["batch"], position=image["position"], word="7")
    (held,) = shown(site.client.get("/review"))
    with serve() as other:
        other.client.cookies.update(site.client.cookies)
        assert shown(other.client.get("/review")) == [held]
        assert ask(other, "/review/undo")["word"] == "7"


@pytest.mark.usefixtures("job")
def test_images_that_are_asked_for_come_first(site: Site) -> None:
    batch = shown(site.client.get("/review"))[0]["batch"]
    images = shown(site.client.get(f"/review?images={batch}-4,{batch}-2,{batch}-77"))
    assert [image["position"] for image in images][:2] == [2, 4]


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({"batch": "1", "position": "0", "word": "ten"}, "is no digit"),
        ({"batch": "1", "position": "0"}, "word"),
        ({"batch": "x", "position": "0", "word": "1"}, "whole number"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(site: Site, sent: dict[str, str], why: str) -> None:
    answer = site.post("/review/say", data=sent, headers=JSON)
    assert answer.status_code == 400
    assert why in unescape(answer.text)
    assert words(site.database) == {}


@pytest.mark.usefixtures("job")
def test_an_image_that_is_not_there_is_said_to_be_missing(site: Site) -> None:
    assert site.post("/review/say", data={"batch": "9", "position": "0", "word": "1"}).status_code == 404
    assert site.client.get("/review?job=99").status_code == 404


def test_a_name_that_cannot_be_shown_is_refused(site: Site) -> None:
    assert site.post("/review/name", data={"name": "a" * 101}).status_code == 400


@pytest.mark.usefixtures("job")
def test_another_page_can_say_nothing(site: Site) -> None:
    sent = {"batch": "1", "position": "0", "word": "1"}
    assert site.client.post("/review/say", data=sent, headers={"Origin": "http://evil.test"}).status_code == 403
    assert words(site.database) == {}
