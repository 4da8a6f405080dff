"""A real HTTP server that speaks S3: pages, odd keys, bounds, and whose fault it is when something fails."""

from __future__ import annotations

import logging
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator

import boto3
import pytest
from moto.core.authorization import enable_iam_authentication

from core import s3
from core.errors import SourceNotFound, SourceUnreadable, StoreUnreachable
from core.objects import AT_ONCE, TooLarge, get_store
from core.sources import Prefix
from tests.environment import ROOT
from tests.proxy import Proxy
from tests.servers import free_port
from tests.store import SECRET, Bucket

ODD_KEYS = [
    "//two.png",
    "/slash in front.png",
    "a b+c&d=e?versionId=3#f.png",
    "%2e%2e/escapes.png",
    "caf\u00e9.png",
    "\u202egnp.right-to-left",
    "\x01control.png",
    "\uf7a0private.png",
]


@pytest.fixture
def through(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before the store, which this process goes through."""
    with Proxy(bucket.port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
        get_store.cache_clear()
        yield proxy


def listed(prefix: Prefix, *, deep: bool = True) -> list[str]:
    return [entry.path for entry in get_store().entries(prefix, deep=deep)]


def test_a_prefix_is_listed_in_order_however_many_pages_it_has(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")  # of a page; stores have a thousand
    for number in range(30):
        bucket.put(f"s/{number}.png", b"")
    bucket.put("sibling/x.png")
    assert listed(bucket.prefix("s/")) == sorted(f"{number}.png" for number in range(30))


def test_a_level_has_its_objects_and_what_lies_below_in_one(bucket: Bucket) -> None:
    for key in ("in/b/1.png", "in/b/2.png", "in/a.png", "in/c.png", "in/"):
        bucket.put(key)
    assert listed(bucket.prefix("in/"), deep=False) == ["a.png", "b/", "c.png"]


def test_an_entry_has_size_and_a_mark_that_changes_with_the_bytes(bucket: Bucket) -> None:
    def look() -> tuple[int, str]:
        (entry,) = get_store().entries(bucket.prefix("s/"))
        return entry.size, entry.mark

    bucket.put("s/a.png", b"one")
    first = look()
    bucket.put("s/a.png", b"two")
    assert first[0] == look()[0] == 3
    assert first[1] != look()[1]


def test_the_very_key_that_was_listed_is_read(bucket: Bucket) -> None:
    for key in ODD_KEYS:
        bucket.put(f"s/{key}", key.encode())
    paths = listed(bucket.prefix("s/"))
    assert sorted(paths) == sorted(ODD_KEYS)
    with get_store().reading(bucket.prefix("s/"), paths, limit=100) as take:
        assert [take().decode() for _ in paths] == paths
    assert [get_store().read(bucket.prefix("s/"), path, limit=100).decode() for path in paths] == paths


def test_many_objects_are_given_in_the_order_asked_for(bucket: Bucket) -> None:
    paths = [f"{number}.png" for number in range(3 * AT_ONCE)]
    for path in paths:
        bucket.put(f"s/{path}", path.encode())
    paths.reverse()
    paths.insert(5, "gone.png")
    with get_store().reading(bucket.prefix("s/"), paths, limit=100) as take:
        for path in paths:
            if path == "gone.png":
                with pytest.raises(FileNotFoundError):
                    take()
            else:
                assert take().decode() == path


def test_an_object_that_is_too_large_is_not_fetched(bucket: Bucket) -> None:
    bucket.put("s/large.png", bytes(64 << 20))
    get_store().check(bucket.prefix("s/"))
    tracemalloc.start()
    with pytest.raises(TooLarge) as caught, get_store().reading(bucket.prefix("s/"), ["large.png"], limit=1000) as take:
        take()
    with pytest.raises(TooLarge):
        get_store().read(bucket.prefix("s/"), "large.png", limit=(64 << 20) - 1)
    taken = sum(
        entry.size
        for entry in tracemalloc.take_snapshot()
        .filter_traces([tracemalloc.Filter(True, "*aiohttp*"), tracemalloc.Filter(True, s3.__file__)])
        .statistics("filename")
    )
    tracemalloc.stop()
    assert caught.value.size == 64 << 20
    assert taken < 8 << 20


def test_what_is_too_large_to_wait_in_memory_is_read_when_it_is_due(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_AHEAD", 10)
    bucket.put("s/a.png", b"a" * 1000)
    bucket.put("s/b.png", b"b" * 10)
    with get_store().reading(bucket.prefix("s/"), ["a.png", "b.png"], limit=1000) as take:
        assert take() == b"a" * 1000
        assert take() == b"b" * 10


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_does_not_exist_is_named() -> None:
    for ask in (get_store().check, listed, lambda prefix: get_store().read(prefix, "a.png", limit=10)):
        with pytest.raises(SourceNotFound, match="no bucket no-such-bucket") as caught:
            ask(Prefix("no-such-bucket", "s/"))
        assert "AWS_ENDPOINT_URL_S3" in caught.value.mend


def test_a_store_that_refuses_connections_is_away(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
    get_store.cache_clear()
    for ask in (get_store().check, listed, lambda prefix: get_store().read(prefix, "a.png", limit=10)):
        with pytest.raises(StoreUnreachable, match=r"does not answer \(EndpointConnectionError\)"):
            ask(bucket.prefix("s/"))


def test_a_store_that_says_nothing_is_away_after_a_while(
    bucket: Bucket, through: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_WAIT", 0.3)
    get_store.cache_clear()
    with through.black_hole(), pytest.raises(StoreUnreachable, match="ReadTimeout"):
        get_store().read(bucket.prefix("s/"), "a.png", limit=10)


def test_without_credentials_it_says_which_to_set(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    get_store.cache_clear()
    with pytest.raises(SourceUnreadable, match="needs credentials") as caught:
        get_store().check(bucket.prefix("s/"))
    assert "AWS_ACCESS_KEY_ID" in caught.value.mend


def test_credentials_without_the_right_to_list_are_said(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    people = boto3.client(
        "iam",
        endpoint_url=f"http://127.0.0.1:{bucket.port}",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        region_name="us-east-1",
    )
    people.create_user(UserName=bucket.name)
    key = people.create_access_key(UserName=bucket.name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    get_store.cache_clear()
    with enable_iam_authentication(), pytest.raises(SourceUnreadable, match="may not be listed") as caught:
        get_store().check(bucket.prefix("s/"))
    assert "Allow listing" in caught.value.mend
    assert key["AccessKeyId"] not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["no url", "http://"])
def test_an_endpoint_that_makes_no_sense_is_said(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    get_store.cache_clear()
    with pytest.raises(SourceUnreadable, match="cannot be asked") as caught:
        get_store().check(bucket.prefix("s/"))
    assert "AWS_ENDPOINT_URL_S3" in caught.value.mend


def test_nothing_secret_is_logged_even_where_everything_is(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-the-tests")
    get_store.cache_clear()
    caplog.set_level(logging.DEBUG)
    bucket.put("s/a.png")
    caplog.clear()
    assert get_store().read(bucket.prefix("s/"), "a.png", limit=10) == b"picture"
    assert SECRET not in caplog.text
    assert "token-of-the-tests" not in caplog.text
    assert "Signature" not in caplog.text


def test_a_line_without_buckets_loads_nothing_of_object_storage() -> None:
    loads = """
import sys
import digitline.client, scheduler.process, worker.journey, digitline.pictures
print(sorted({name.partition(".")[0] for name in sys.modules} & {"aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs"}))
"""
    ended = subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
