"""The page as an enemy sees it: requests that never end, passwords tried by the thousand, names, links and methods."""

from __future__ import annotations

import io
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.ledger import corrections
from core.ledger.corrections import Word
from core.settings import Settings, get_settings
from digitline.web import app, drops, guesses, patience
from digitline.web.security import HEADERS
from scheduler.inbox import prepare_folders
from tests.digitline.web.conftest import Scored, Serve, Site
from tests.digits import loose_digits
from tests.waiting import wait_until

LOGIN = httpx.BasicAuth("ada", "secret")


def connected(site: Site) -> socket.socket:
    host, _, port = site.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def head(site: Site, request: str) -> bytes:
    """The beginning of a request, as this page might send it."""
    host = site.url.removeprefix("http://")
    return f"{request} HTTP/1.1\r\nHost: {host}\r\nOrigin: {site.url}\r\n".encode()


@pytest.fixture
def locked(home: Settings, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A page with a password, as all see it that is no loopback."""
    assert home.web_auth is None
    monkeypatch.setenv("DIGITLINE_WEB_AUTH", "ada:secret")
    get_settings.cache_clear()
    with serve() as site:
        yield site


# Requests that never end.


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /jobs HTTP/1.1\r\nX-Endless: ",
        b"POST /review/say HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
    ],
    ids=["nothing", "half a header", "half a body of somebody else's"],
)
def test_a_request_that_does_not_come_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.5)
    with connected(site) as connection:
        connection.sendall(begun)
        while connection.recv(65_536):  # until it is closed
            pass
    assert site.client.get("/jobs").status_code == 200


def test_who_sends_a_byte_now_and_then_is_not_waited_for_either(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.5)
    with connected(site) as connection:
        connection.sendall(head(site, "POST /upload") + b"Content-Length: 1000000\r\n\r\n")
        connection.settimeout(0.05)

        def closed() -> bool:
            try:
                connection.sendall(b"x")
                return connection.recv(65_536) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        wait_until(closed, "the connection is closed")


def test_an_answer_may_take_longer_than_a_request(
    home: Settings, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.web_auth is None
    monkeypatch.setattr(patience, "PATIENCE", 0.5)
    began = time.monotonic()

    def slow(_: Request) -> Response:
        wait_until(lambda: time.monotonic() > began + 1.5, "more time has passed than a request has")
        return PlainTextResponse("here")

    monkeypatch.setattr(app.jobs, "routes", [*app.jobs.routes, Route("/slow", slow)])
    with serve() as site:
        assert site.client.get("/slow").text == "here"


@pytest.fixture
def inbox(home: Settings) -> Path:
    prepare_folders(home)
    return home.inbox_folder


def test_a_form_without_end_around_its_files_is_refused(
    inbox: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLINE_WEB_UPLOAD_FILES", "3")
    get_settings.cache_clear()

    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nx\r\n'
        for number in range(1000):
            yield b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n%s\r\n' % (number, b"x" * 1000)

    with serve() as site:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = site.post("/upload", headers=headers, content=endless())
        assert (answer.status_code, "more around the files" in answer.text) == (413, True)
        assert not any(drops.uploads_folder(site.settings).iterdir())
        assert not any(inbox.iterdir())


@pytest.mark.parametrize("header", [b"X: " + b"x" * 10_000, b"\r\n".join(b"X-%d: x" % one for one in range(1000))])
def test_headers_without_end_in_a_form_are_refused(site: Site, inbox: Path, header: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = site.post("/upload", headers=headers, content=b"--b\r\n" + header + b"\r\n\r\nx\r\n--b--\r\n")
    assert answer.status_code == 400
    assert not any(drops.uploads_folder(site.settings).iterdir())
    assert not any(inbox.iterdir())


# Passwords.


def test_who_gives_wrong_passwords_has_to_wait_whatever_comes_next(
    locked: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(guesses.MOST):
        assert locked.client.get("/jobs", auth=httpx.BasicAuth("ada", str(number))).status_code == 401
    refused = locked.client.get("/jobs", auth=LOGIN)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["content-security-policy"]
    # Who gives none is asked for one, as ever, and the sign of life answers.
    assert locked.client.get("/jobs").status_code == 401
    assert locked.client.get("/healthz").status_code == 200
    monkeypatch.setattr(guesses, "WHILE", 0.0)
    assert locked.client.get("/jobs", auth=LOGIN).status_code == 200


def test_a_strangers_guesses_keep_nobody_out_who_was_in_before(locked: Site) -> None:
    with httpx.Client(base_url=locked.url, auth=LOGIN, trust_env=False) as known:
        assert known.get("/jobs").status_code == 200
        for number in range(guesses.MOST):
            locked.client.get("/jobs", auth=httpx.BasicAuth("ada", str(number)))
        assert locked.client.get("/jobs", auth=LOGIN).status_code == 429
        assert known.get("/jobs").status_code == 200
        known.cookies.set("digitline_known", "guessed")
        assert known.get("/jobs").status_code == 429


def test_guesses_are_counted_by_address_and_of_ipv6_by_network() -> None:
    counted = guesses.Guesses()
    for number in range(guesses.MOST):
        counted.note(f"2001:db8::{number}")
        counted.note("192.0.2.1")
    assert counted.rest("2001:db8::ffff") > 0
    assert counted.rest("192.0.2.1") > 0
    assert counted.rest("2001:db8:1::1") == counted.rest("192.0.2.2") == 0


# Other pages, in the same browser.


@pytest.mark.parametrize("site_of", ["cross-site", "same-site"])
def test_another_page_has_nothing_asked_for_but_by_a_link(site: Site, site_of: str) -> None:
    for mode, dest, status in (
        ("no-cors", "image", 403),
        ("cors", "empty", 403),
        ("navigate", "iframe", 403),
        ("navigate", "document", 200),
    ):
        headers = {"Sec-Fetch-Site": site_of, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        assert site.client.get("/review", headers=headers).status_code == status, (mode, dest)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "[::1"},
        {"Host": "localhost:80@evil.example"},
        {"Host": "localhost\\.evil.example"},
        {"Host": "evil.example#.localhost"},
    ],
)
def test_a_host_that_makes_no_sense_is_refused(site: Site, headers: dict[str, str]) -> None:
    assert site.client.get("/jobs", headers=headers).status_code == 421


@pytest.mark.parametrize("origin", ["http://[", "null", "//", "http://", "file://"])
def test_an_origin_that_makes_no_sense_is_refused(site: Site, origin: str) -> None:
    assert site.client.post("/jobs/1/cancel", headers={"Origin": origin}).status_code == 403


def test_htmx_from_elsewhere_changes_nothing(site: Site) -> None:
    headers = {"HX-Request": "true", "Origin": "http://evil.example", "Accept": "application/json"}
    assert site.client.post("/review/leave", headers=headers).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND"])
def test_other_methods_do_nothing(site: Site, method: str) -> None:
    answer = site.client.request(method, "/jobs", headers={"Origin": site.url})
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_a_look_at_the_head_alone_has_no_body(site: Site) -> None:
    answer = site.client.head("/jobs")
    assert (answer.status_code, answer.content) == (200, b"")


# Answers.


def _break(_: Request) -> Response:
    raise RuntimeError("secret of the inside")


def test_every_answer_has_the_headers_whoever_gives_it(
    home: Settings, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.web_auth is None
    monkeypatch.setattr(app.jobs, "routes", [*app.jobs.routes, Route("/broken", _break)])
    with serve() as site:
        answers = {
            200: site.client.get("/static/web.css"),
            403: site.client.post("/upload"),
            404: site.client.get("/nowhere"),
            405: site.client.put("/jobs", headers={"Origin": site.url}),
            413: site.post("/review/say", data={"word": "x" * 500_000}),
            421: site.client.get("/jobs", headers={"Host": "evil.example"}),
            500: site.client.get("/broken"),
        }
        for status, answer in answers.items():
            assert answer.status_code == status
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, status
    assert "secret of the inside" not in answers[500].text


def test_a_link_that_takes_an_images_place_shows_nothing_of_where_it_leads(
    site: Site, scored: Scored, tmp_path: Path
) -> None:
    secret, other = loose_digits(tmp_path / "private", 2)
    files = loose_digits(tmp_path / "scans", 3)
    job = scored(tmp_path / "scans", {file.name: None if place else 3 for place, file in enumerate(files)})
    for file in files[:2]:
        corrections.record(site.database, job.id, file.name, Word.of("7"), by="ada")
        file.unlink()
        file.symlink_to(secret)
    files[2].unlink()
    files[2].hardlink_to(other)  # is the very file: whoever may write there has it anyway
    for position in range(2):
        for side in ("original", "prepared"):
            answer = site.client.get(f"/images/1/{position}/{side}.png")
            assert answer.status_code == 307
            assert answer.headers["location"].startswith("/static/no-picture.svg")
        assert "data:image" not in site.client.get(f"/images/1/{position}?explain").text
    with zipfile.ZipFile(io.BytesIO(site.client.get("/learn/corrections.zip").content)) as archive:
        assert archive.namelist() == ["missing.txt"]


def test_a_folder_that_became_a_link_is_not_entered(site: Site, scored: Scored, tmp_path: Path) -> None:
    (file,) = loose_digits(tmp_path / "scans" / "sub", 1)
    scored(tmp_path / "scans", {f"sub/{file.name}": 3})
    (tmp_path / "scans" / "sub").rename(tmp_path / "private")
    (tmp_path / "scans" / "sub").symlink_to(tmp_path / "private")
    assert site.client.get("/images/1/0/original.png").status_code == 307


def test_an_archive_holds_no_name_that_leads_out_of_it_anywhere(site: Site, scored: Scored, tmp_path: Path) -> None:
    (file,) = loose_digits(tmp_path / "scans", 1)
    hostile = file.rename(file.with_name("..\\..\\evil.png"))
    job = scored(tmp_path / "scans", {hostile.name: 3})
    corrections.record(site.database, job.id, hostile.name, Word.of("7"), by="ada")
    with zipfile.ZipFile(io.BytesIO(site.client.get("/learn/corrections.zip").content)) as archive:
        assert archive.namelist() == ["7/.._.._evil.png"]
