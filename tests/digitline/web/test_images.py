"""The gallery and the page of an image: its pictures, whatever has become of its file, and why it is read as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.ledger import batches, gallery, jobs, sweeps
from core.ledger.gallery import Place
from core.settings import get_settings
from core.sources import to_url
from core.vocabulary import Outcome, Reason
from digitline.web import thumbnails
from digitline.web.darkroom import Darkroom, NoPicture
from tests.core.examples import MAX_ATTEMPTS, create_job, exhaust, rejection, take
from tests.digitline.web.conftest import Scored, Site
from tests.digits import loose_digits, string_picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four digits as MNIST has them."""
    folder = tmp_path / "scans"
    for number, path in enumerate(loose_digits(folder, 4)):
        path.rename(folder / f"{number}.png")
    return folder


def picture(site: Site, address: str) -> np.ndarray:
    answer = site.client.get(address)
    assert answer.headers["content-type"] == "image/png", answer.text
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_an_image_is_shown_as_it_came_and_as_the_network_saw_it(site: Site, scored: Scored, folder: Path) -> None:
    cv2.imwrite(str(folder / "1.png"), cv2.resize(cv2.imread(str(folder / "1.png")), (900, 600)))
    scored(folder, {"0.png": 7, "1.png": 2})
    original, prepared = re.findall(r'<img class="picture[^>]+src="([^"]+)"', site.client.get("/images/1/0").text)
    assert np.array_equal(picture(site, original), cv2.imread(str(folder / "0.png"), cv2.IMREAD_UNCHANGED))
    assert picture(site, prepared).shape == (28, 28)
    assert max(picture(site, "/images/1/1/original.png").shape) == 160
    assert site.client.get("/images/1/0/negative.png").status_code == 404


def test_a_browser_keeps_the_picture_of_the_bytes_that_were_scored(site: Site, scored: Scored, folder: Path) -> None:
    scored(folder, {"0.png": 7, "1.png": 2})
    (named, _) = re.findall(r'<img class="picture[^>]+src="([^"]+)"', site.client.get("/images/1/0").text)
    kept = site.client.get(named)
    assert kept.headers["cache-control"] == f"private, max-age={365 * 86400}"
    again = site.client.get(named, headers={"If-None-Match": kept.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    (folder / "2.png").replace(folder / "1.png")
    changed = site.client.get("/images/1/1/original.png")
    assert (changed.headers["cache-control"], "etag" in changed.headers) == ("private, max-age=60", False)


def test_a_file_that_is_gone_or_no_picture_has_a_stand_in(site: Site, scored: Scored, folder: Path) -> None:
    (folder / "notes.txt").write_text("hello")
    (folder / "link.png").symlink_to("0.png")
    scored(folder, {"gone.png": 3, "notes.txt": None, "link.png": None, "../scans/0.png": None})
    for position in range(4):
        for side in ("original", "prepared"):
            answer = site.client.get(f"/images/1/{position}/{side}.png")
            assert (answer.status_code, answer.headers["location"][:22]) == (307, "/static/no-picture.svg"), position
        refused = site.client.get(f"/images/1/{position}?explain=1")
        assert 'class="note bad"' in refused.text
    assert "There is no such file." in site.client.get("/images/1/0?explain=1").text


def test_a_drop_that_is_filed_while_one_looks_is_found_where_it_lies_now(
    site: Site, scored: Scored, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []

    async def meanwhile(seconds: float) -> None:
        """What happens in the time between the move of a drop and its note."""
        waits.append(seconds)
        jobs.mark_filed(site.database, dropped, to_url(folder.with_name("done")))

    monkeypatch.setattr(thumbnails, "sleep", meanwhile)
    dropped, other = scored(folder, {"0.png": 7}, claim="1"), scored(folder, {"1.png": 2})
    folder.rename(folder.with_name("done"))
    # Nobody waits for what will not be moved.
    assert site.client.get(f"/images/{other.id}/0/original.png").status_code == 307
    assert waits == []
    assert site.client.get(f"/images/{dropped.id}/0/original.png").headers["content-type"] == "image/png"
    assert len(waits) == 1


def test_an_image_that_comes_back_is_shown(site: Site, scored: Scored, folder: Path) -> None:
    scored(folder, {"0.png": 7})
    folder.rename(folder.with_name("elsewhere"))
    assert site.client.get("/images/1/0/original.png").status_code == 307
    folder.with_name("elsewhere").rename(folder)
    assert site.client.get("/images/1/0/original.png").status_code == 200


def test_the_page_of_an_image_explains_it(site: Site, scored: Scored, folder: Path) -> None:
    scored(folder, {"0.png": 3}, true=[8])
    page = site.client.get("/images/1/0").text
    assert 'hx-get="/images/1/0"' in page
    assert "is 8" in page
    explained = site.client.get("/images/1/0", headers={"HX-Request": "true"}).text
    assert explained.strip() in site.client.get("/images/1/0?explain=1").text
    assert "Now it is read as " in explained
    said = re.findall(r'<th scope="row">(\d)</th>.*?<td class="number">([\d.]+)</td>', explained, re.DOTALL)
    assert [label for label, _ in said] == list("0123456789")
    assert sum(float(probability) for _, probability in said) == pytest.approx(1, abs=0.001)
    assert "<span>original</span>" in explained


def test_a_string_is_explained_digit_by_digit(site: Site, scored: Scored, tmp_path: Path) -> None:
    says = string_picture(tmp_path / "strings" / "a.png", [0, 1, 2])
    scored(tmp_path / "strings", {"a.png": says})
    page = site.client.get("/images/1/0").text
    assert f"<b>{says}</b>" in page
    assert page.count('class="picture ') == 1
    assert site.client.get("/images?label=string").text.count('class="shot"') == 1


def test_a_quarantined_image_is_not_opened_again(site: Site, folder: Path) -> None:
    job = create_job(site.database, [1])
    (batch,) = batches.of_job(site.database, job.id)
    exhaust(site.database, batch)
    sweeps.quarantine_exhausted(site.database, MAX_ATTEMPTS)
    assert gallery.image(site.database, Place(batch.id, 0)).result.reason is Reason.QUARANTINED
    assert site.client.get(f"/images/{batch.id}/0/original.png").status_code == 307
    assert "looking at it has ended workers" in site.client.get(f"/images/{batch.id}/0?explain=1").text
    assert folder.is_dir()


def test_a_picture_that_ends_its_process_is_none_and_the_next_one_is_shown(
    site: Site, scored: Scored, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = folder.parent / "points"
    points.mkdir()
    (points / "darkroom.0.png").write_text("always")
    monkeypatch.setenv("DIGITLINE_CRASH_POINTS", str(points))
    get_settings.cache_clear()
    scored(folder, {"0.png": 7, "1.png": 2})
    for _ in range(3):
        assert site.client.get("/images/1/0/original.png").status_code == 307
    for position in (1, 1):
        assert site.client.get(f"/images/1/{position}/original.png").status_code == 200
    room = Darkroom()
    try:
        with pytest.raises(NoPicture, match="looking at it ended its process by SIGKILL"):
            room.picture(gallery.image(site.database, Place(1, 0)))
        assert room.picture(gallery.image(site.database, Place(1, 1))).original is not None
    finally:
        room.close()


def walk(site: Site, address: str, way: str) -> Iterator[tuple[str, list[str]]]:
    """The pages of a gallery that follow each other, each with its address and the paths of its images."""
    while address:
        page = site.client.get(address).text
        yield address, re.findall(r'<div class="path"[^>]*>([^<]+)</div>', page)
        following = re.search(rf'href="([^"]+)" rel="{way}"', page)
        address = following[1].replace("&amp;", "&") if following else ""


def test_a_gallery_leads_through_all_its_pages(site: Site) -> None:
    job = create_job(site.database, [130])
    (batch,) = batches.of_job(site.database, job.id)
    lease = take(site.database, batch)
    batches.finish(site.database, lease, Outcome([], [rejection(lease, at) for at in range(130)], []))
    first = f"/images?job={job.id}&reason=truncated"
    there = list(walk(site, first, "next"))
    assert [path for _, paths in there for path in paths] == [f"1/{number}.png" for number in range(130)]
    back = list(walk(site, there[-1][0], "prev"))
    assert [paths for _, paths in back] == [paths for _, paths in reversed(there)]
    # The first page is the first page, whichever way one comes to it.
    ((_, paths),) = walk(site, f"{first}&before=1-40", "prev")
    assert paths == there[0][1]


def test_a_search_that_is_broken_off_goes_on_by_itself(
    site: Site, scored: Scored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "WINDOW", 1)
    for number in range(3):
        scored(tmp_path / "gone", {"a.png": number, "b.png": 9 if number == 0 else 8}, name=str(number))
    page = site.client.get("/images?label=9").text
    (further,) = re.findall(r'hx-get="([^"]+)"', page)
    assert "shot" not in page.partition("<main")[2]
    found = ""
    while further:
        found = site.client.get(further.replace("&amp;", "&"), headers={"HX-Request": "true"}).text
        further = next(iter(re.findall(r'hx-get="([^"]+)"', found)), "")
    assert "b.png" in found
    # Backwards as well, and what is found comes above.
    (page, found) = (site.client.get("/images?label=9&before=1-0").text, "")
    (further,) = re.findall(r'hx-get="([^"]+before=[^"]+)"', page)
    while further:
        found = site.client.get(further.replace("&amp;", "&"), headers={"HX-Request": "true"}).text + found
        further = next(iter(re.findall(r'hx-get="([^"]+)"', found.partition("<ul")[0])), "")
    assert "b.png" not in found
    assert "There is no such image" in site.client.get("/images?label=7&job=1").text


def test_filters_say_what_is_chosen(site: Site, scored: Scored, tmp_path: Path) -> None:
    scored(tmp_path, {"a.png": 3}, true=[5])
    page = site.client.get("/images?job=1&label=3&true=5&agreement=wrong&least=0.5").text
    for chosen in ('value="3" selected', 'value="5" selected', 'value="wrong" selected', 'value="0.5"', "scans</a>"):
        assert chosen in page
    assert page.count('class="shot"') == 1
    assert 'href="/images?job=1">Clear' in page
