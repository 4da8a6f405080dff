"""A real `digitline flower` on a Redis of its own, the events that it hears, and a proxy before it."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from celery import Celery

from core.queues import SCORE_BATCH, describe, make_app
from core.settings import Settings
from core.vocabulary import Batch, QueueName
from tests.processes import LineProcess
from tests.servers import RedisServer, free_port
from tests.waiting import wait_until

PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """What was answered to a request."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Flower:
    """One Flower process; start and close it."""

    settings: Settings
    folder: Path
    #: `user:password` that it is asked with where a test names none.
    login: str = ""
    process: LineProcess = field(init=False)

    @property
    def prefix(self) -> str:
        """Of every path."""
        return self.settings.flower_url_prefix or ""

    @property
    def log(self) -> str:
        """Everything it said."""
        return (self.folder / "flower.log").read_text()

    def start(self) -> None:
        """Start the process; returns once it answers and hears events."""
        self.process = LineProcess(self.settings, "flower", log=self.folder / "flower.log")
        wait_until(self._answers, "Flower answers", PATIENCE)

    def close(self) -> None:
        """End it, if it runs."""
        self.process.close()

    def ask(
        self, path: str, *, method: str = "GET", login: str = "", port: int | None = None, **headers: str
    ) -> Answer:
        """Ask for a path below the prefix; `_` in the name of a header stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if login:
            sent["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        connection = http.client.HTTPConnection("127.0.0.1", port or self.settings.flower_port, timeout=20)
        try:
            connection.request(method, self.prefix + path, headers=sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))
        finally:
            connection.close()

    def rows(self, search: str = "", *, by: str = "received", order: str = "desc") -> list[dict[str, Any]]:
        """The table of tasks, as the page asks for it."""
        asked = (
            f"/tasks/datatable?draw=1&start=0&length=100&search%5Bvalue%5D={search}"
            f"&order%5B0%5D%5Bcolumn%5D=0&order%5B0%5D%5Bdir%5D={order}&columns%5B0%5D%5Bdata%5D={by}"
        )
        rows: list[dict[str, Any]] = json.loads(self.ask(asked, login=self.login).text)["data"]
        return rows

    def row(self, task: str, **wanted: object) -> dict[str, Any]:
        """Wait until the row of a task says what is wanted."""

        def found() -> dict[str, Any] | None:
            named = [row for row in self.rows() if row["uuid"] == task]
            return next((row for row in named if wanted.items() <= row.items()), None)

        return wait_until(found, f"Flower shows {task} as {wanted}", PATIENCE)

    def _answers(self) -> bool:
        try:
            return self.ask("/healthcheck").status == 200
        except OSError:
            if self.process.exit_code is not None:
                raise AssertionError(f"Flower ended: {self.log[-3000:]}") from None
            return False


class Events:
    """Tells Flower what a worker would of a batch."""

    def __init__(self, app: Celery, flower: Flower) -> None:
        self._app, self._flower = app, flower

    def start(self, task: str, *, job: int = 1, name: str = "scans", sequence: int = 1, size: int = 40) -> None:
        """A batch that is sent, received and started; returns once Flower shows it."""
        one = Batch(1, job_id=job, job_name=name, sequence=sequence, of=8, queue=QueueName.BULK, size=size, model_id=1)
        words = {"name": SCORE_BATCH, "args": "", "kwargs": describe(one)}

        def started() -> bool:
            # Said again, since nobody keeps events for a Flower that is about to listen.
            self.say("task-sent", task, **words)
            self.say("task-received", task, **words)
            self.say("task-started", task)
            # With its job: one that began to listen midway has heard of the start alone.
            return any(row["uuid"] == task and row["state"] == "STARTED" and row["job"] for row in self._flower.rows())

        wait_until(started, f"Flower hears of {task}", PATIENCE, interval=0.3)

    def say(self, event: str, task: str, **fields: object) -> None:
        """Send one event."""
        with (
            self._app.connection_for_write() as connection,
            self._app.events.Dispatcher(connection, hostname="scorer@one") as dispatcher,
        ):
            dispatcher.send(event, uuid=task, **fields)


@contextmanager
def running(folder: Path, **overrides: Any) -> Iterator[tuple[Flower, Events]]:
    """A Flower that answers, on an empty Redis; both are gone afterwards."""
    with RedisServer() as redis:
        settings = Settings(home=folder / "home", broker_url=redis.url, flower_port=free_port(), **overrides)
        flower, app = Flower(settings, folder), make_app(settings)
        try:
            flower.start()
            yield flower, Events(app, flower)
        finally:
            app.close()
            flower.close()


@contextmanager
def proxy(target: int, prefix: str) -> Iterator[int]:
    """A proxy that hands on what is below the prefix, as nginx does by `location`; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(prefix):
                self.send_error(404, "Another site's")
                return
            connection = http.client.HTTPConnection("127.0.0.1", target, timeout=20)
            length = int(self.headers.get("Content-Length", 0))
            connection.request(self.command, self.path, self.rfile.read(length), dict(self.headers))
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name not in ("Transfer-Encoding", "Connection", "Server", "Date"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
