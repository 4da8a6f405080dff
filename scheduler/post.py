"""One HTTP POST within a bounded time: no redirect is followed, no proxy asked, no certificate taken on trust."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    #: Seconds after which it wants to be asked again; None where it names none.
    retry_after: float | None


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    """Send a body and read the first line and the headers of the answer.

    Args:
        url: `http://` or `https://`.
        body: what is sent.
        headers: sent with it.
        timeout: seconds that the whole may take, however busily the server sends a byte at a time.

    Raises:
        OSError: the server cannot be reached, is not who it says, is too slow, or does not speak HTTP.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(_connection(url, timeout)) as connection:
        connection.connect()
        with _hanging_up(connection.sock, timeout) as too_late:
            try:
                connection.request("POST", target, body, dict(headers))
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                if too_late.is_set() or isinstance(error, TimeoutError):
                    raise TimeoutError(f"no answer within {timeout:g} s") from error
                # An HTTPException may repeat what the server said, which is nobody's business here.
                raise OSError(f"no HTTP answer ({type(error).__name__})") from error
            return Answer(answer.status, _seconds(answer.getheader("Retry-After")))


def _connection(url: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, parts.port, timeout=timeout)


@contextmanager
def _hanging_up(connected: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Cut a connection that lasts too long: the timeout of a socket is for each packet, of which there may be many."""
    too_late = threading.Event()

    def hang_up() -> None:
        too_late.set()
        with suppress(OSError):  # the server may have hung up in this moment
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield too_late
    finally:
        timer.cancel()


def _seconds(retry_after: str | None) -> float | None:
    """Of a number of seconds; a date, which may be written as well, is for clocks that agree."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() and len(retry_after) < 8 else None
