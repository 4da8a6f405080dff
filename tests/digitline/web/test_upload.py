"""An upload becomes a drop of the inbox, whole or not at all, whatever the browser calls its files."""

from __future__ import annotations

import dataclasses
import re
import socket
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from core.ledger import jobs
from core.settings import Settings, get_settings
from core.vocabulary import Trigger
from digitline.web import drops
from digitline.web.names import LONGEST_NAME, safe_name, safe_path
from scheduler.inbox import Inbox, prepare_folders
from scheduler.names import ignored
from scheduler.producer import Line
from tests.core.examples import new_job, register_model
from tests.digitline.web.conftest import Serve, Site
from tests.digits import files_below
from tests.waiting import wait_until

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def inbox(home: Settings) -> Path:
    prepare_folders(home)
    return home.inbox_folder


def form(*files: tuple[str, bytes], name: str = "", paths: bool = True) -> dict[str, object]:
    """What a browser sends: with a script, the path of each file before it."""
    parts: list[tuple[str, tuple[str | None, bytes]]] = [("name", (None, name.encode()))]
    for path, content in files:
        if paths:
            parts.append(("path", (None, path.encode())))
        parts.append(("file", (path.rpartition("/")[2] if paths else path, content)))
    return {"files": parts}


def nothing_stays(settings: Settings) -> bool:
    gathered = drops.uploads_folder(settings)
    return not any(settings.inbox_folder.iterdir()) and not (gathered.exists() and any(gathered.iterdir()))


def test_a_folder_keeps_its_name_and_its_folders(site: Site, inbox: Path) -> None:
    answer = site.post("/upload", **form(("scans/0/a.png", PNG), ("scans/1/b.png", PNG * 2), ("scans/labels.csv", b"")))
    assert (answer.status_code, answer.headers["location"]) == (303, "/upload/arrived?name=scans&after=0")
    assert files_below(inbox) == {"scans/0/a.png", "scans/1/b.png", "scans/labels.csv"}
    assert (inbox / "scans/1/b.png").read_bytes() == PNG * 2
    assert not any(drops.uploads_folder(site.settings).iterdir())


def test_images_by_themselves_get_a_folder_with_a_name(site: Site, inbox: Path) -> None:
    site.post("/upload", **form(("a.png", PNG), ("b.png", PNG), name="monday"))
    site.post("/upload", **form(("c.png", PNG)))
    named, unnamed = sorted(inbox.iterdir())
    assert (named.name, files_below(named)) == ("monday", {"a.png", "b.png"})
    assert re.fullmatch(r"upload \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d", unnamed.name)


def test_without_a_script_the_form_is_understood_as_well(site: Site, inbox: Path) -> None:
    site.post("/upload", **form(("a.png", PNG), ("sub/b.png", PNG), name="plain", paths=False))
    assert files_below(inbox) == {"plain/a.png", "plain/sub/b.png"}


def test_one_name_twice_loses_nothing(site: Site, inbox: Path) -> None:
    for _ in range(2):
        site.post("/upload", **form(("s/a.png", PNG), ("s/a.png", PNG * 2)))
    assert files_below(inbox) == {f"{drop}/{file}" for drop in ("s", "s (2)") for file in ("a.png", "a (2).png")}


@pytest.mark.parametrize(
    "hostile",
    [
        *(
            "../a.png",
            "/etc/cron.d/a.png",
            "s/../../a.png",
            "s/./../a.png",
            "..",
            ".",
            "/",
            "s/.hidden/a.png",
            ".a.png",
        ),
        *(
            "s/\x00a.png",
            "s/a\nb.png",
            "s/<img src=x onerror=alert(1)>.png",
            "..\\..\\a.png",
            "C:\\a.png",
            "CON",
            "s/ . . /a.png",
        ),
        *(
            "\u202egnp.exe.png",
            "s/" + "ä" * 300 + ".png",
            "/".join("abcdefghijk"),
            "s/Thumbs.db",
            "_READY",
            "s/a.png~",
            "-rf",
            "~",
        ),
    ],
)
def test_no_name_leads_out_of_the_drop(site: Site, inbox: Path, hostile: str) -> None:
    before = files_below(site.settings.home_folder)
    answer = site.post("/upload", **form((hostile, PNG), ("s/z.png", PNG), name="x"))
    assert answer.status_code == 303, answer.text
    made = files_below(site.settings.home_folder) - before
    (drop,) = inbox.iterdir()
    assert all(file.startswith(f"inbox/{drop.name}/") for file in made)
    assert 1 <= len(made) <= 2
    for part in {part for file in made for part in Path(file).parts}:
        assert part.isprintable()
        assert len(part.encode()) < 255
        assert not part.startswith(".")


def test_the_name_of_a_drop_is_made_safe(site: Site, inbox: Path) -> None:
    for name, expected in (("../../etc", "_.._etc"), ("a/b", "a_b"), (".hidden", "hidden"), ("...", "_")):
        site.post("/upload", **form(("a.png", PNG), name=name))
        assert (inbox / expected).is_dir(), name
    assert safe_name("x" * 500 + ".jpeg") == "x" * (LONGEST_NAME - 5) + ".jpeg"
    assert str(safe_path("a b/ä.png")) == "a b/ä.png"


@pytest.mark.parametrize("name", ["_READY", "#3", "~$a", "monday.tmp", "monday.part", "Thumbs.db", "?READY", ".x"])
def test_a_drop_whose_name_means_something_to_the_inbox_is_found_all_the_same(
    site: Site, inbox: Path, name: str
) -> None:
    answer = site.post("/upload", **form(("a.png", PNG), name=name))
    (drop,) = inbox.iterdir()
    assert not ignored(drop.name)
    assert answer.headers["location"] == f"/upload/arrived?{urlencode({'name': drop.name, 'after': 0})}"


def test_a_name_that_is_made_safe_does_not_come_to_mean_something(site: Site, inbox: Path) -> None:
    site.post("/upload", **form(("s/a.png", PNG), ("s/?READY", b""), ("s/b.part.", b""), ("s/.. .tmp.", b"")))
    assert not [file for file in files_below(inbox) if any(map(ignored, file.split("/")))]
    assert "s/a.png" in files_below(inbox)


def test_names_that_another_system_takes_for_one_are_two_files(site: Site, inbox: Path) -> None:
    names = ["s/a.png", "s/A.png", "s/\u00e9.png", "s/e\u0301.png"]
    site.post("/upload", **form(*((name, PNG) for name in names)))
    assert files_below(inbox) == set(names)


def test_an_upload_of_nothing_is_refused(site: Site, inbox: Path) -> None:
    for files in ((), ((".DS_Store", b"x"), ("s/.hidden/a.png", PNG))):
        answer = site.post("/upload", **form(*files))
        assert (answer.status_code, "no file to score" in answer.text) == (400, True)
    assert nothing_stays(site.settings)
    assert inbox.is_dir()


def test_what_is_no_form_with_files_is_refused(site: Site, inbox: Path) -> None:
    boundary = {"Content-Type": "multipart/form-data; boundary=b"}
    for headers, content in (
        ({"Content-Type": "application/json"}, b"{}"),
        ({"Content-Type": "multipart/form-data"}, b"--b--"),
        ({"Content-Type": "multipart/form-data; boundary=" + "b" * 500}, b""),
        (boundary, b"garbage"),
        (boundary, b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nhalf'),
        (boundary, b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + b"x" * 5000 + b"\r\n--b--\r\n"),
    ):
        assert site.post("/upload", headers=headers, content=content).status_code == 400
    assert nothing_stays(site.settings)
    assert inbox.is_dir()


@pytest.mark.parametrize(("name", "value"), [("FILES", "2"), ("BYTES", "1000")])
def test_more_than_is_allowed_is_refused_and_leaves_nothing(
    inbox: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"DIGITLINE_WEB_UPLOAD_{name}", value)
    get_settings.cache_clear()
    with serve() as site:
        answer = site.post("/upload", **form(*((f"s/{number}.png", PNG * 60) for number in range(3))))
        assert (answer.status_code, "more than" in answer.text) == (413, True)
        assert nothing_stays(site.settings)
    assert inbox.is_dir()


def test_a_disk_without_room_is_said_and_leaves_nothing(
    inbox: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLINE_MIN_FREE", str(2**60))
    get_settings.cache_clear()
    with serve() as site:
        answer = site.post("/upload", **form(("s/a.png", PNG)))
        assert (answer.status_code, "are free" in answer.text) == (507, True)
        assert nothing_stays(site.settings)
    assert inbox.is_dir()


def test_an_upload_that_is_broken_off_leaves_nothing(site: Site, inbox: Path) -> None:
    host = site.url.removeprefix("http://")
    head = (
        f"POST /upload HTTP/1.1\r\nHost: {host}\r\nOrigin: {site.url}\r\nContent-Length: 1000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    )
    address, port = host.split(":")
    with socket.create_connection((address, int(port))) as connection:
        connection.sendall(head.encode() + PNG * 1000)
        gathered = drops.uploads_folder(site.settings)
        wait_until(lambda: gathered.exists() and list(gathered.rglob("a.png")), "the file has begun")
    wait_until(lambda: nothing_stays(site.settings), "nothing stays")
    assert inbox.is_dir()


def test_what_a_dead_process_left_is_cleared_and_what_is_on_its_way_is_not(
    site: Site, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drops, "_FRESH", -1.0)
    on_its_way = drops.Drop(site.settings)
    try:
        left = drops.uploads_folder(site.settings) / "left"
        (left / "files").mkdir(parents=True)
        site.post("/upload", **form(("s/a.png", PNG)))
        assert not left.exists()
        on_its_way.begin("t/b.png")
        on_its_way.write(PNG)
        on_its_way.end()
        assert on_its_way.hand_over("x") == "t"
    finally:
        on_its_way.close()
    assert files_below(inbox) == {"s/a.png", "t/b.png"}


def test_the_page_waits_for_the_job_and_leads_to_it(site: Site, inbox: Path) -> None:
    register_model(site.database)
    older = jobs.create(site.database, new_job(name="scans"))
    answer = site.post("/upload", **form(("scans/a.png", PNG)))
    waiting = answer.headers["location"]
    assert waiting == f"/upload/arrived?name=scans&after={older.id}"
    page = site.client.get(waiting)
    assert "is in the inbox" in page.text
    assert page.text.count('hx-trigger="load delay:1s"') == 1
    job = jobs.create(site.database, dataclasses.replace(new_job(name="scans", claim="c"), triggered_by=Trigger.INBOX))
    assert site.client.get(waiting).headers["location"] == f"/jobs/{job.id}"
    assert site.client.get(waiting, headers={"HX-Request": "true"}).headers["hx-redirect"] == f"/jobs/{job.id}"
    assert inbox.is_dir()


def test_an_upload_goes_the_way_of_every_drop(
    online_home: Settings, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLINE_SETTLE_TIME", "0")
    get_settings.cache_clear()
    assert online_home.broker_url is not None
    line = Line.open(get_settings())
    try:
        with serve() as site:
            prepare_folders(site.settings)
            register_model(site.database)
            answer = site.post("/upload", **form(("7/a.png", PNG), ("7/b.png", PNG)))
            inbox = Inbox(line)
            wait_until(lambda: inbox.look() or jobs.newest(site.database, 1), "the drop becomes a job")
            led = site.client.get(answer.headers["location"], follow_redirects=True)
            assert isinstance(led, httpx.Response)
            assert "<h1>7 " in led.text
            (job,) = jobs.newest(site.database, 1)
            assert (job.triggered_by, job.accounts.found) == (Trigger.INBOX, 2)
    finally:
        line.close()
