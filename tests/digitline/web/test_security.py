"""Who may see the page, what a browser is told to refuse, and what other pages may not do."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from core.errors import SettingsError
from core.settings import Settings, get_settings
from digitline.web import address
from tests.digitline.conftest import Digitline
from tests.digitline.web.conftest import Scored, Serve, Site

PAGES = ("/jobs", "/images", "/upload", "/nowhere", "/static/web.css", "/healthz")
HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "a\"b'c&d.png",
    "new\nline.png",
    "\u202egnp.exe.png",
    "{{7*7}}.png",
    "\udcff.png",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_tells_the_browser_what_to_refuse(site: Site, path: str) -> None:
    headers = site.client.get(path).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_no_page_holds_a_script_or_a_style_of_its_own(site: Site, scored: Scored, tmp_path: Path) -> None:
    job = scored(tmp_path, {"a.png": 3, "b.png": None}, true=[3, 4])
    for path in ("/jobs", f"/jobs/{job.id}", f"/jobs/{job.id}/batches", "/images", "/images/1/0", "/upload"):
        text = site.client.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", text), path


@pytest.mark.parametrize("host", ["digits.example", "127.0.0.1.example", "localhost.example", "10.0.0.1", "", "[::2]"])
def test_without_a_password_a_name_that_is_not_loopbacks_is_refused(site: Site, host: str) -> None:
    assert site.client.get("/jobs", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:9", "digits.localhost:8028"])
def test_the_names_of_this_machine_to_itself_are_known(site: Site, host: str) -> None:
    assert site.client.get("/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_what_another_page_sends_changes_nothing(
    site: Site, scored: Scored, tmp_path: Path, headers: dict[str, str]
) -> None:
    job = scored(tmp_path, {"a.png": 3})
    for path in (f"/jobs/{job.id}/cancel", "/upload"):
        answer = site.client.post(path, headers=headers)
        assert (answer.status_code, "another page" in answer.text) == (403, True)


def test_what_this_page_sends_is_taken_however_the_browser_says_it(site: Site) -> None:
    port = site.url.rpartition(":")[2]
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://127.0.0.1:{port}"}):
        answer = site.client.post("/jobs/7/cancel", headers=headers)
        assert (answer.status_code, "There is no job 7." in answer.text) == (404, True)


def test_a_password_is_asked_for_before_every_page_but_the_sign_of_life(
    home: Settings, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.web_auth is None
    monkeypatch.setenv("DIGITLINE_WEB_AUTH", "ada:pâss:word")
    get_settings.cache_clear()
    with serve() as site:
        for path in set(PAGES) - {"/healthz"}:
            answer = site.client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"][:5]) == (401, "Basic")
        assert site.client.get("/healthz").text == "ok\n"
        for wrong in (("ada", "word"), ("", "pâss:word"), ("ada", "")):
            assert site.client.get("/jobs", auth=httpx.BasicAuth(*wrong)).status_code == 401
        for garbled in ("Basic", "Basic ä".encode("latin-1"), "Basic !!!", "Bearer x"):
            assert site.client.get("/jobs", headers={"Authorization": garbled}).status_code == 401
        right = httpx.BasicAuth("ada", "pâss:word")
        # With a password, a proxy may call the page by any name.
        assert site.client.get("/jobs", auth=right, headers={"Host": "digits.example"}).status_code == 200
        assert site.client.post("/jobs/7/cancel", auth=right).status_code == 403


def test_beyond_loopback_there_is_no_page_without_a_password(home: Settings, digitline: Digitline) -> None:
    ended = digitline("web", "--address", "0.0.0.0", "--port", "0")
    assert ended.code == 1
    assert "without a password" in ended.err
    assert "DIGITLINE_WEB_AUTH" in ended.err
    address.check(home)
    address.check(home, "::1")
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1 without a password"):
        address.check(home, "192.0.2.1")


def test_a_port_that_is_taken_is_named(site: Site, digitline: Digitline) -> None:
    ended = digitline("web", "--port", site.url.rpartition(":")[2])
    assert ended.code == 1
    assert "cannot be served on 127.0.0.1" in ended.err


def test_hostile_names_stay_text(site: Site, scored: Scored, tmp_path: Path) -> None:
    job = scored(
        tmp_path / "gone",
        dict.fromkeys(HOSTILE[:3], 3) | dict.fromkeys(HOSTILE[3:]),
        name=f"job {HOSTILE[0]}\n\x1b[31m",
    )
    batch = 1
    paths = ["/jobs", f"/jobs/{job.id}", "/images", *(f"/images/{batch}/{position}" for position in range(6))]
    texts = {path: site.client.get(path).text for path in paths}
    for text in texts.values():
        assert "<img src=x" not in text
        assert not set("\x1b\u202e\udcff") & set(text)
        assert "49.png" not in text
    assert "job &lt;img src=x onerror=alert(1)&gt;.png\\n\\x1b[31m" in texts["/jobs"]
    for shown in (
        "&lt;img src=x",
        "a&#34;b&#39;c&amp;d.png",
        "new\\nline.png",
        "\\u202egnp.exe.png",
        "{{7*7}}.png",
        "\\udcff.png",
    ):
        assert shown in texts["/images"]


def test_an_error_is_a_page_that_says_it_and_no_more(site: Site) -> None:
    missing = site.client.get("/jobs/7")
    assert (missing.status_code, "There is no job 7." in missing.text) == (404, True)
    assert site.client.get("/images?label=eleven").status_code == 400
    assert site.client.get("/images?least=2").status_code == 400
    assert site.client.get("/images?job=1_0").status_code == 400
    assert site.client.get("/images?after=1-x").status_code == 400
    assert site.client.get("/images/999999999999999999999/0").status_code == 404
    assert site.client.get("/static/../app.py").status_code == 404
    assert site.client.get("/static/%2e%2e/app.py").status_code == 404


def test_a_ledger_that_is_gone_is_said_and_watched_for(site: Site, home: Settings) -> None:
    Path(home.database.removeprefix("sqlite:///")).unlink()
    answer = site.client.get("/healthz")
    assert (answer.status_code, "There is no database" in answer.text) == (503, True)
    assert "Traceback" not in answer.text


def test_what_may_be_kept_says_so_and_nothing_else_is(site: Site) -> None:
    address_of_style = re.search(r'href="(/static/web\.css\?\w+)"', site.client.get("/jobs").text)
    assert address_of_style is not None
    assert "immutable" in site.client.get(address_of_style[1]).headers["cache-control"]
    assert site.client.get("/jobs").headers["cache-control"] == "no-store"
