"""A line on real servers with an endpoint, asked as Prometheus asks it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from core.ledger import batches, sweeps
from core.settings import Settings
from core.vocabulary import Outcome, Reason, Verdict
from scheduler.endpoint import Endpoint
from scheduler.inbox import prepare_folders
from scheduler.producer import Line
from tests.core.examples import MAX_ATTEMPTS, create_job, exhaust, prediction, rejection, score, take


class Scrape:
    """What one scrape said."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {family.name: family for family in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """The value of a sample with exactly these labels; None: there is none."""
        return self._values.get((f"digitline_{name}", frozenset(labels.items())))

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """What is not zero, by the value of a label, of the samples that have these others."""
        samples = ((dict(found), value) for (of, found), value in self._values.items() if of == f"digitline_{name}")
        return {found[label]: value for found, value in samples if value and labels.items() <= found.items()}


def scrape(endpoint: Endpoint) -> Scrape:
    """Ask for the metrics over HTTP."""
    with urllib.request.urlopen(endpoint.url, timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return Scrape(answer.read().decode())


@contextmanager
def serving(settings: Settings) -> Iterator[Endpoint]:
    """An endpoint on a port that is free."""
    prepare_folders(settings)
    endpoint = Endpoint(settings, 0)
    try:
        yield endpoint
    finally:
        endpoint.close()


@contextmanager
def lived_through_everything(settings: Settings) -> Iterator[Scrape]:
    """A scrape of a line in which everything has happened that there is a figure for."""
    with closing(Line.open(settings)) as line, serving(settings) as endpoint:
        everything(line)
        yield scrape(endpoint)


def everything(line: Line) -> None:
    """Let the line live through all that it has a figure for."""
    database = line.database
    score(database, create_job(database, [6, 4], labelled=True), [[0, 1, 2, 3, 9, "47"], [0, 1, None, None]])
    pictures = create_job(database, [4])
    (batch,) = batches.of_job(database, pictures.id)
    lease = take(database, batch)
    seen = [prediction(lease, 0, 7, Verdict.DIGIT), prediction(lease, 1, 7, Verdict.NOT_A_DIGIT)]
    unseen = [rejection(lease, 2, Reason.BLANK), rejection(lease, 3, Reason.SEVERAL)]
    batches.finish(database, lease, Outcome(seen, unseen, [], {"predict": 2.0}, escalated=1))
    given_up = create_job(database, [2])
    exhaust(database, batches.of_job(database, given_up.id)[0])
    sweeps.quarantine_exhausted(database, MAX_ATTEMPTS)
    (held, _) = batches.of_job(database, create_job(database, [3, 5]).id)
    take(database, held)
    heartbeat = line.settings.heartbeat_file
    heartbeat.parent.mkdir(parents=True, exist_ok=True)
    heartbeat.touch()
