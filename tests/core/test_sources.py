"""Folders and prefixes as people name them and as the ledger keeps them; every other kind is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SourceNotFound
from core.sources import Prefix, source_at, source_of, to_url


@pytest.mark.parametrize(
    ("given", "bucket", "key"),
    [
        ("s3://scans", "scans", ""),
        ("s3://scans/", "scans", ""),
        ("s3://scans/march", "scans", "march/"),
        ("s3://scans/march/", "scans", "march/"),
        ("s3://scans/a b/ü%20?#/", "scans", "a b/ü%20?#/"),
        ("s3://scans//twice", "scans", "/twice/"),
    ],
)
def test_a_prefix_is_taken_to_the_letter(given: str, bucket: str, key: str) -> None:
    assert source_of(given) == Prefix(bucket, key)


def test_a_prefix_has_its_last_part_for_a_name_and_the_bucket_has_its_own() -> None:
    assert Prefix("scans", "2026/march/").name == "march"
    assert Prefix("scans", "").name == "scans"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_every_prefix_survives_the_ledger(key: str) -> None:
    prefix = Prefix("scans", f"{key}/" if key else "")
    if {".", ".."}.isdisjoint(key.split("/")):
        assert source_at(to_url(prefix)) == prefix
        assert to_url(prefix).isascii()


def test_a_folder_is_a_path_and_survives_the_ledger(tmp_path: Path) -> None:
    assert source_of(str(tmp_path)) == tmp_path
    assert source_at(to_url(tmp_path / "caf\udce9 #?")) == tmp_path / "caf\udce9 #?"


@pytest.mark.parametrize(
    "url",
    [
        "gs://b/x",
        "az://b/x",
        "http://h/x",
        "https://h/x",
        "ftp://h/x",
        "memory://x",
        "file:///etc",
        "S3://b/x",
        "s3a://b/x",
    ],
)
def test_what_is_no_folder_and_no_prefix_of_s3_is_refused_by_its_kind(url: str) -> None:
    with pytest.raises(SourceNotFound, match=r"Images are not read from .*://\.") as caught:
        source_of(url)
    assert "s3://bucket/prefix" in caught.value.mend


@pytest.mark.parametrize(
    "url", ["gs://b/x/", "http://h/x/", "memory://x/", "file://host/etc", "s3://b/x?versionId=1", "x"]
)
def test_a_forged_url_of_the_ledger_is_refused(url: str) -> None:
    with pytest.raises(SourceNotFound):
        source_at(url)


@pytest.mark.parametrize(
    "url", ["s3://AKIA:hidden@scans/x", "s3://AKIA:hid/den@scans/x", "s3://hidden@scans", "s3:///hidden"]
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    for door in (source_of, source_at):
        with pytest.raises(SourceNotFound) as caught:
            door(url)
        assert "hid" not in f"{caught.value} {caught.value.mend}"
        assert "AWS_ACCESS_KEY_ID" in caught.value.mend


@pytest.mark.parametrize("url", ["s3://scans/a/../b", "s3://scans/..", "s3://scans/./a", "s3://scans/%2e%2e/"])
def test_a_prefix_that_could_be_folded_into_another_one_is_refused(url: str) -> None:
    with pytest.raises(SourceNotFound):
        source_at(url)


def test_an_s3_url_that_pathlib_folded_is_no_folder() -> None:
    with pytest.raises(SourceNotFound, match="no folder") as caught:
        source_of(Path("s3://scans/march"))
    assert "as text" in caught.value.mend
