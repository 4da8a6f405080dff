"""The inboxes in object storage are named by a setting, which takes none that would be in the way of another."""

from __future__ import annotations

import pytest

from core.errors import SettingsError
from core.settings import get_settings


@pytest.mark.parametrize(
    "urls",
    [
        "s3://bucket/in s3://bucket/in/team",
        "s3://bucket/team/in s3://bucket/team",
        "s3://bucket/in s3://bucket/done",
        "s3://bucket/in s3://bucket/in",
        "s3://bucket/x/done",
    ],
)
def test_inboxes_that_would_take_each_others_results_or_drops_are_refused(
    monkeypatch: pytest.MonkeyPatch, urls: str
) -> None:
    monkeypatch.setenv("DIGITLINE_INBOX_URLS", urls)
    with pytest.raises(SettingsError, match="none may lie below another"):
        get_settings()


@pytest.mark.parametrize(
    "urls", ["s3://bucket", "/a/folder", "gs://bucket/inbox", "s3://AKIA:hidden@bucket/inbox", "s3://fine/inbox folder"]
)
def test_a_setting_that_names_no_prefix_is_refused(monkeypatch: pytest.MonkeyPatch, urls: str) -> None:
    monkeypatch.setenv("DIGITLINE_INBOX_URLS", urls)
    with pytest.raises(SettingsError, match="DIGITLINE_INBOX_URLS makes no sense") as caught:
        get_settings()
    assert "hidden" not in str(caught.value)


def test_several_inboxes_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLINE_INBOX_URLS", "s3://one/inbox\n s3://two/in/")
    assert [str(prefix) for prefix in get_settings().inbox_prefixes] == ["s3://one/inbox/", "s3://two/in/"]
