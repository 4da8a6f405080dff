"""The page on a port of its own, over a real ledger and real images, asked by a real client."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pytest
import uvicorn

from classifier.artifact import shipped_model
from core.database import Database
from core.ledger import batches, jobs, models
from core.settings import Settings, get_settings
from core.sources import Source, to_url
from core.vocabulary import Job, Manifest, NewJob, Outcome, Prediction, QueueName, Trigger
from digitline.web.darkroom import Darkroom
from digitline.web.process import configuration, listening
from scheduler.producer import Line
from tests.core.examples import create_job, outcome, score, take

# anyio imports its parts when they are first used, which would be in the thread of a server. pytest rewrites them, since
# anyio has a plugin, and two threads at once cannot parse in Python 3.11 (python/cpython#106905).
for part in dir(anyio):
    getattr(anyio, part)


@dataclass(frozen=True)
class Site:
    """A page that is served."""

    url: str
    client: httpx.Client
    database: Database
    settings: Settings

    def post(self, path: str, **more: object) -> httpx.Response:
        """Send what this very page might send."""
        return self.client.post(path, headers={"Origin": self.url, **more.pop("headers", {})}, **more)


#: Serves the page with the settings of the environment.
Serve = Callable[[], AbstractContextManager[Site]]


@contextmanager
def serving(settings: Settings) -> Iterator[Site]:
    line, darkroom = Line.open(settings), Darkroom()
    with ExitStack() as stack:
        stack.callback(line.close)
        stack.callback(darkroom.close)
        listener = stack.enter_context(listening("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(configuration(line, darkroom))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, server, "should_exit", True)
        client = stack.enter_context(httpx.Client(base_url=url, timeout=60, trust_env=False))
        yield Site(url, client, line.database, settings)


@pytest.fixture
def serve() -> Serve:
    return lambda: serving(get_settings())


@pytest.fixture
def site(home: Settings) -> Iterator[Site]:
    """The page of a home without a line."""
    with serving(home) as site:
        yield site


#: Puts a job into the ledger whose images lie in a folder: Job = scored(folder, {"a.png": 3, "b.png": None}).
Scored = Callable[..., Job]


@pytest.fixture
def scored(site: Site) -> Scored:
    """Has a folder scored, or the prefix that holds the same: each image as the digit given, or rejected where it is none."""
    models.register(
        site.database, name="shipped", sha256="5" * 64, location=str(shipped_model()), card={"name": "shipped"}
    )

    def make(
        folder: Path,
        labels: dict[str, int | None],
        *,
        true: list[int] | None = None,
        name: str = "scans",
        source: Source | None = None,
        claim: str | None = None,
    ) -> Job:
        manifest = Manifest([*labels], true)
        new = NewJob(name, to_url(source or folder), [manifest], QueueName.EXPRESS, Trigger.CLI, claim=claim)
        job = jobs.create(site.database, new)
        lease = take(site.database, batches.of_job(site.database, job.id)[0])
        found = outcome(lease, labels=[*labels.values()])
        predictions = [_with_digest(folder, one) for one in found.predictions]
        batches.finish(
            site.database,
            lease,
            Outcome(predictions, found.rejections, found.confusion, {"read": 0.25, "predict": 0.5}),
        )
        return jobs.get(site.database, job.id)

    return make


def _with_digest(folder: Path, prediction: Prediction) -> Prediction:
    file = folder / prediction.path
    return prediction._replace(sha256=hashlib.sha256(file.read_bytes()).hexdigest()) if file.is_file() else prediction


@pytest.fixture
def mixed(site: Site) -> Job:
    """A job of 12 images, the digits 0 to 9 and 0 and 1: one is read wrong, one rejected, one read as a string."""
    job = create_job(site.database, [12], labelled=True)
    score(site.database, job, [[0, 1, 2, 3, 4, 5, 6, 7, 8, 4, None, "17"]])
    return jobs.get(site.database, job.id)
