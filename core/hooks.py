"""Hooks: URLs that are told when a job ends, and the signature by which they know who tells them.

The scheme is that of Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md,
"Signature scheme" and "Webhook headers"), so that a consumer may check it with a library of its language.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

#: What a secret begins with.
SECRET_PREFIX = "whsec_"  # noqa: S105  # says only what it is
#: Bytes of a key, at the least and at the most.
_KEY_BYTES = range(24, 65)


@dataclass(frozen=True, slots=True)
class Hook:
    """A URL that is told."""

    #: May hold a token of its consumer's, so it is shown nowhere and not kept in the ledger.
    url: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of its URL, hexadecimal: by this the ledger knows it."""
        return hashlib.sha256(self.url.encode()).hexdigest()

    @property
    def address(self) -> str:
        """Scheme, host and port: what people are shown."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


def hooks_of(text: str) -> tuple[Hook, ...]:
    """The hooks of a setting: URLs with white space between them, each once.

    Raises:
        ValueError: one of them is no URL that can be told; the message does not repeat it.
    """
    urls = list(dict.fromkeys(text.split()))
    for number, url in enumerate(urls, start=1):
        _check(number, url)
    return tuple(map(Hook, urls))


def key_of(secret: str) -> bytes:
    """The key of a secret.

    Raises:
        ValueError: it is not `whsec_` and 24 to 64 bytes in Base64; the message does not repeat it.
    """
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if encoded == secret or len(key) not in _KEY_BYTES:
        raise ValueError(
            f"must be {SECRET_PREFIX} and 24 to 64 random bytes in Base64: "
            f'`echo "{SECRET_PREFIX}$(openssl rand -base64 32)"` makes one'
        )
    return key


def signature(key: bytes, notice_id: str, timestamp: int, body: bytes) -> str:
    """What the header `webhook-signature` says: HMAC-SHA256 over id, time and body, in Base64.

    Args:
        key: as `key_of` gives it.
        notice_id: the header `webhook-id`.
        timestamp: seconds since the epoch, the header `webhook-timestamp`.
        body: the very bytes that are sent.
    """
    signed = b".".join((notice_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def _check(number: int, url: str) -> None:
    wrong = f"URL {number} of it"  # not the URL itself: it may hold a token
    if not (url.isascii() and url.isprintable()):
        raise ValueError(f"{wrong} has characters that are not printable ASCII; write them as %XX")
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"{wrong} is no URL") from error
    if not whole:
        raise ValueError(f"{wrong} is no URL that begins with http:// or https:// and names a host")
    _check_parts(wrong, parts)


def _check_parts(wrong: str, parts: SplitResult) -> None:
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{wrong} names a user, which is not sent; the consumer knows us by the signature")
    if parts.fragment:
        raise ValueError(f"{wrong} has a fragment (#), which is never sent")
