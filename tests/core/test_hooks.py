"""Hooks and their secret are checked before anything is told, and no error repeats a secret."""

from __future__ import annotations

import pytest

from core.errors import SettingsError
from core.hooks import hooks_of, key_of
from core.settings import get_settings

SECRET = "whsec_" + "A" * 32


def test_several_urls_are_as_many_hooks_each_once() -> None:
    found = hooks_of("https://a.example/x?t=1\n http://b.example:8080/ https://a.example/x?t=1")
    assert [hook.address for hook in found] == ["https://a.example", "http://b.example:8080"]
    assert "t=1" not in repr(found)
    assert hooks_of(" ") == ()


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example/", "a.example/x", "http://", "https://:443/", "http://a.example:x/", "http://[::1/"),
        *("http://user:s3cret@a.example/", "http://a.example/#s3cret", "http://ä.example/", "http://a..b/"),
        *("http://a.example/\x01", "http://a.example:0/"),
    ],
)
def test_what_cannot_be_told_is_refused_by_its_place(url: str) -> None:
    with pytest.raises(ValueError, match="URL 2 of it") as caught:
        hooks_of(f"https://a.example/ {url}")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "s3cret", "A" * 32, "whsec_", "whsec_s3cret", "whsec_" + "A" * 28, "whsec_!"])
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes") as caught:
        key_of(secret)
    assert "s3cret" not in str(caught.value)


def test_a_key_is_the_bytes_of_the_secret() -> None:
    assert key_of(SECRET) == bytes(24)


def test_hooks_without_a_secret_stop_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_WEBHOOK_URL", "https://a.example/")
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET makes no sense: DIGITLINE_WEBHOOK_URL is set"):
        get_settings()
    monkeypatch.setenv("DIGITLINE_WEBHOOK_SECRET", SECRET)
    assert [hook.address for hook in get_settings().hooks] == ["https://a.example"]


@pytest.mark.parametrize(
    ("name", "value"), [("WEBHOOK_URL", "ftp://s3cret/"), ("WEBHOOK_SECRET", "s3cret"), ("RETENTION", "90")]
)
def test_a_setting_that_makes_no_sense_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"DIGITLINE_{name}", value)
    with pytest.raises(SettingsError, match=f"DIGITLINE_{name} makes no sense") as caught:
        get_settings()
    assert "s3cret" not in str(caught.value)
