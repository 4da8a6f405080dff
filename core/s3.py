"""The object store by s3fs: bounded requests, with tries and waits of their own, and errors that say whose fault it is.

Requests name bucket and key apart, so that nothing takes a key for a path: `?`, `//` and a `/` in front stay as they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import s3fs
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from core.errors import SourceNotFound, SourceUnreadable, StoreUnreachable
from core.objects import AT_ONCE, Entry, Store, Take, TooLarge
from core.sources import Prefix

#: Seconds until a connection stands, and until the next bytes come.
_CONNECT, _WAIT = 5, 10
#: Times that a request is tried, and as often a body that breaks off.
_TRIES = 3
#: Bytes of an object that is read ahead of its turn; a larger one is asked for again when it is due, so that what waits
#: in memory stays within `AT_ONCE` times as much.
_AHEAD = 4 << 20
_CHUNK = 1 << 20

#: Answers that are about the credentials or the rights to a bucket, never about one of its objects.
_REFUSED = frozenset(
    {
        "AccountProblem", "AllAccessDisabled", "AuthorizationHeaderMalformed", "ExpiredToken", "InvalidAccessKeyId",
        "InvalidSecurity", "InvalidToken", "NotSignedUp", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)  # fmt: skip
#: Failures on this side that are about the credentials.
_WITHOUT_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.TokenRetrievalError,
    boto.NoAuthTokenError,
)
#: What breaks off a body that is being read.
_BROKEN_OFF = (boto.ResponseStreamingError, boto.IncompleteReadError, boto.ReadTimeoutError, aiohttp.ClientPayloadError)
_AWAY = (
    *_BROKEN_OFF,
    boto.ConnectionError,
    boto.HTTPClientError,
    ResponseParserError,
    aiohttp.ClientError,
    TimeoutError,
    ConnectionError,
)
#: Answers that may be others soon; those of the server's own (5xx) are, too.
_PASSING = frozenset({"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown"})
_MEND_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for every process of the line."
_MEND_ENDPOINT = "Look at the AWS_ variables of this process, AWS_REGION and AWS_ENDPOINT_URL_S3 above all."
_MEND_RIGHTS = f"Allow listing and reading below it. {_MEND_CREDENTIALS}"


class S3(Store):
    """The store that AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL names, else Amazon's."""

    def __init__(self) -> None:
        """Connect to nothing yet."""
        for name in ("aiobotocore", "botocore", "s3fs"):
            # At DEBUG they log requests with their signatures and session tokens.
            logging.getLogger(name).setLevel(logging.WARNING)
        self._files = s3fs.S3FileSystem(
            skip_instance_cache=True,
            use_listings_cache=False,
            config_kwargs={
                "connect_timeout": _CONNECT,
                "read_timeout": _WAIT,
                "retries": {"mode": "standard", "total_max_attempts": _TRIES},
                "max_pool_connections": AT_ONCE,
                # Stores beside Amazon's do not all know its newer checksums.
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
        )
        self._files.retries = 1  # botocore tries again, and knows for which answers

    def entries(self, prefix: Prefix, *, deep: bool = True) -> Iterator[Entry]:
        """As `Store.entries`: one page of a thousand keys in memory at a time."""
        asked = {"Bucket": prefix.bucket, "Prefix": prefix.key, **({} if deep else {"Delimiter": "/"})}
        while True:
            page = self._list(prefix, **asked)
            yield from _entries(page, len(prefix.key))
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def check(self, prefix: Prefix) -> None:
        """As `Store.check`, by a listing of one key."""
        self._list(prefix, Bucket=prefix.bucket, Prefix=prefix.key, MaxKeys=1)

    def read(self, prefix: Prefix, path: str, *, limit: int) -> bytes:
        """As `Store.read`."""
        data = self._start(prefix, path, limit, limit).result()
        if isinstance(data, int):
            raise TooLarge(data)
        return data

    @contextmanager
    def reading(self, prefix: Prefix, paths: Iterable[str], *, limit: int) -> Iterator[Take]:
        """As `Store.reading`; what it has not given when the context ends is let go."""
        left = iter(paths)
        waiting: deque[tuple[str, Future[bytes | int]]] = deque()

        def start(count: int) -> None:
            for path in islice(left, count):
                waiting.append((path, self._start(prefix, path, limit, min(limit, _AHEAD))))

        def take() -> bytes:
            path, coming = waiting.popleft()
            start(1)
            data = coming.result()
            return self.read(prefix, path, limit=limit) if isinstance(data, int) else data

        start(AT_ONCE)
        try:
            yield take
        finally:
            for _, coming in waiting:
                coming.cancel()

    def write(self, prefix: Prefix, name: str, content: Path) -> None:
        """As `Store.write`."""
        try:
            with _said_of(prefix), content.open("rb") as body:
                self._files.call_s3("put_object", Bucket=prefix.bucket, Key=prefix.key + name, Body=body)
        except PermissionError as error:
            raise _unreadable(prefix, f"may not be written to ({error})", "Allow writing there.") from error

    def _list(self, prefix: Prefix, **asked: Any) -> dict[str, Any]:
        try:
            with _said_of(prefix):
                page: dict[str, Any] = self._files.call_s3("list_objects_v2", **asked)
        except PermissionError as error:
            raise _unreadable(prefix, f"may not be listed ({error})", _MEND_RIGHTS) from error
        except FileNotFoundError as error:
            raise _no_bucket(prefix) from error
        except ValueError as error:  # what botocore says of an endpoint that is no URL
            raise _unreadable(prefix, "cannot be asked for", _MEND_ENDPOINT) from error
        return page

    def _start(self, prefix: Prefix, path: str, limit: int, most: int) -> Future[bytes | int]:
        return asyncio.run_coroutine_threadsafe(self._fetch(prefix, path, limit, most), self._files.loop)

    async def _fetch(self, prefix: Prefix, path: str, limit: int, most: int) -> bytes | int:
        """An object's bytes; its size alone, and none of its bytes read, where there are more than `most`.

        Raises:
            TooLarge: there are more than `limit`; the others as `Store.read`.
        """
        with _said_of(prefix):
            for left in reversed(range(_TRIES)):
                try:
                    return await self._get(prefix, path, limit, most)
                except _BROKEN_OFF:
                    if not left:
                        raise
        raise AssertionError("the last try returns or raises")

    async def _get(self, prefix: Prefix, path: str, limit: int, most: int) -> bytes | int:
        # fsspec spells its coroutines with an underscore; what it offers besides them takes a key for a path.
        answer = await self._files._call_s3("get_object", Bucket=prefix.bucket, Key=prefix.key + path)  # noqa: SLF001
        async with answer["Body"] as body:
            size = answer.get("ContentLength")
            if size is not None and size > limit:
                raise TooLarge(size)
            if size is not None and size > most:
                return int(size)
            data = bytearray()
            async for chunk in body.iter_chunks(_CHUNK):
                data += chunk
                if len(data) > limit:  # a store that does not say how much there is
                    raise TooLarge(len(data))
        return bytes(data)


def _entries(page: dict[str, Any], start: int) -> Iterator[Entry]:
    """The entries of one page, in the order of all keys; without the marker that some tools put at a prefix itself."""
    objects = [Entry(found["Key"][start:], found["Size"], found["ETag"]) for found in page.get("Contents", ())]
    shared = [Entry(found["Prefix"][start:], 0, "") for found in page.get("CommonPrefixes", ())]
    return (entry for entry in (sorted(objects + shared) if shared else objects) if entry.path)


@contextmanager
def _said_of(prefix: Prefix) -> Iterator[None]:
    """Say of what a request fails on whose fault it is, in our errors; what is about one object stays an OSError.

    Messages of the store are not repeated: they may say who asked.
    """
    try:
        yield
    except _WITHOUT_CREDENTIALS as error:
        raise _unreadable(prefix, f"needs credentials ({type(error).__name__})", _MEND_CREDENTIALS) from error
    except _AWAY as error:
        raise _unreachable(prefix, type(error).__name__) from error
    except boto.ParamValidationError as error:
        raise PermissionError("nothing, for it can have no such key") from error
    except boto.BotoCoreError as error:
        raise _unreadable(prefix, f"cannot be asked for ({type(error).__name__})", _MEND_ENDPOINT) from error
    except OSError as error:
        raise _as_ours(prefix, error) from error


def _as_ours(prefix: Prefix, error: OSError) -> Exception:
    """What an answer of the store means; s3fs keeps it as the cause of its own error."""
    answer = getattr(error.__cause__, "response", None)
    if answer is None:
        return _unreachable(prefix, type(error).__name__)
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchBucket":
        return _no_bucket(prefix)
    if code in _REFUSED or status == 401:
        return _unreadable(prefix, f"is closed to these credentials ({code})", _MEND_CREDENTIALS)
    if code in _PASSING or status == 429 or status >= 500:
        return _unreachable(prefix, code or str(status))
    # What else an answer may be about is this object: archived, encrypted with a key of its own, or not ours to read.
    return FileNotFoundError(code) if status == 404 else PermissionError(code or str(status))


def _no_bucket(prefix: Prefix) -> SourceNotFound:
    return SourceNotFound(
        f"There is no bucket {prefix.bucket} at this object store.",
        mend="Check its name, and AWS_ENDPOINT_URL_S3 if the store is not Amazon's.",
    )


def _unreadable(prefix: Prefix, why: str, mend: str) -> SourceUnreadable:
    return SourceUnreadable(f"{prefix} {why}.", mend=mend)


def _unreachable(prefix: Prefix, why: str) -> StoreUnreachable:
    return StoreUnreachable(f"The object store of {prefix} does not answer ({why}).")
