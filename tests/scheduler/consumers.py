"""A consumer of hooks for tests: a real HTTP server that answers as it is told and keeps what it was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

#: The secret of the specification's own example.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Request:
    """What was sent."""

    path: str
    headers: dict[str, str]
    body: bytes


#: Answers a request by itself.
Answering = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Consumer:
    """What was sent to a server, and what it answers."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    #: Answered one after the other; then `status`.
    statuses: list[int] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    #: In place of the statuses.
    answering: Answering | None = None

    @property
    def ids(self) -> list[str]:
        """Of the notices, as they came."""
        return [request.headers["webhook-id"] for request in self.requests]


@contextmanager
def consumer() -> Iterator[Consumer]:
    """A consumer that listens within the `with`."""
    heard = Consumer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if heard.answering is not None:
                heard.answering(self)
                return
            self.send_response(heard.statuses.pop(0) if heard.statuses else heard.status)
            for name, value in heard.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard.url = f"http://127.0.0.1:{server.server_port}/hook?token=s3cret"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            thread.join()
