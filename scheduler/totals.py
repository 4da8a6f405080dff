"""What the batches that ended since the scheduler's start came to, added up as Prometheus' counters and histograms."""

from __future__ import annotations

from collections import Counter as Count
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from itertools import accumulate

from prometheus_client import Counter, Histogram, Metric
from prometheus_client.core import HistogramMetricFamily

from core import clock
from core.database import Database
from core.ledger import figures
from core.ledger.figures import End, EndedBatch, InUse
from core.ledger.outcomes import CONFIDENCE_BOUNDS, STRING
from core.vocabulary import DIGITS, BatchState, QueueName, Reason, Verdict

#: Upper bounds of histograms, in seconds: a stage takes milliseconds, a batch of a large job waits for hours.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)

#: Time for which an end may be committed after one that came later: longer than a transaction waits for its locks.
_LATE = timedelta(seconds=120)
#: Batches that one reading counts at the most, a tenth of a second's work; the next one goes on from there.
_MOST = 1000

_MODEL = ("model", "model_id")


class Totals:
    """Counts every end of a batch once, from the moment of its making on; not for several threads at once."""

    def __init__(self, database: Database) -> None:
        """Begin at zero, with what ends from now on.

        Raises:
            LedgerUnreachable: the database does not answer.
        """
        self._database = database
        self._latest = clock.read(database)
        #: Ends that are counted, as far back as others may still come to light.
        self._counted: set[End] = set(figures.ends_since(database, self._latest - _LATE))
        self._figures = _Figures()
        #: Batches that have ended and that the last reading left to the next one.
        self.behind = 0

    def read(self) -> None:
        """Count what has ended since the last reading; where that is very much, the earliest of it.

        Raises:
            LedgerUnreachable: the database does not answer; nothing was counted.
        """
        ends = figures.ends_since(self._database, self._latest - _LATE)
        uncounted = [end for end in ends if end not in self._counted]
        new = uncounted[:_MOST]
        batches = figures.ended(self._database, [batch_id for batch_id, _ in new])
        self._figures.add(batches)
        self._counted.update(batch.end for batch in batches)
        self._latest = max([self._latest, *(moment for _, moment in new)])
        self._counted = {end for end in self._counted if end[1] > self._latest - _LATE}
        self.behind = len(uncounted) - len(new)

    def expect(self, models: Collection[InUse]) -> None:
        """Have the families of these models show a zero before they have scored anything."""
        self._figures.expect(models)

    def collect(self) -> Iterator[Metric]:
        """All families, as they were at the last reading."""
        return self._figures.collect()


#: By family and the values of its labels, what is to be added.
_Sums = defaultdict[Counter, Count[tuple[str, ...]]]


class _Figures:
    """The families themselves."""

    def __init__(self) -> None:
        self.images = _counter("images", "Images that met their end, by outcome.", "outcome")
        self.batches = _counter("batches", "Batches that ended, by how and by queue.", "state", "queue")
        self.rejections = _counter("rejections", "Images that were not scored, by reason.", "reason")
        self.verdicts = _counter("verdicts", "Decoded pictures by what they are taken for.", *_MODEL, "verdict")
        self.labels = _counter("labels", "Scored images by the label that was read.", *_MODEL, "label")
        self.labelled = _counter("labelled_images", "Scored images whose true label is known.", *_MODEL)
        self.correct = _counter("correct_images", "Those of them that were read right.", *_MODEL)
        self.escalated = _counter("escalated_images", "Scored images that careful networks were asked about.", *_MODEL)
        self.batch_seconds = _histogram("batch_duration", "From the claim of a batch to its committed rows.", "queue")
        self.stage_seconds = _histogram("stage_duration", "One stage of one batch.", "stage", "queue")
        self.confidences = _Confidences()
        self._show_zeros()

    def _show_zeros(self) -> None:
        """Have the families that always have the same children show them from the start: a rate needs a first value."""
        for outcome in ("scored", "rejected", "quarantined"):
            self.images.labels(outcome)
        for reason in Reason:
            self.rejections.labels(reason.value)
        for queue in QueueName:
            self.batch_seconds.labels(queue.value)
            for state in (BatchState.DONE, BatchState.QUARANTINED):
                self.batches.labels(state.value, queue.value)

    def expect(self, models: Collection[InUse]) -> None:
        """The same for the models that score now."""
        for model in models:
            key = (model.name, str(model.id))
            for family in (self.labelled, self.correct, self.escalated):
                family.labels(*key)
            for verdict in Verdict:
                self.verdicts.labels(*key, verdict.value)
            for label in (*map(str, range(DIGITS)), STRING):
                self.labels.labels(*key, label)

    def add(self, batches: Iterable[EndedBatch]) -> None:
        """Count batches that ended."""
        # Added up first: to find the child of a family takes ten times as long as to add to a dictionary.
        sums: _Sums = defaultdict(Count)
        for batch in batches:
            self._add(batch, sums)
        for family, counts in sums.items():
            for labels, number in counts.items():
                family.labels(*labels).inc(number)

    def _add(self, batch: EndedBatch, sums: _Sums) -> None:
        queue = batch.queue.value
        sums[self.batches][batch.state.value, queue] += 1
        for outcome, images in batch.outcomes.items():
            sums[self.images][(outcome,)] += images
        for reason, images in batch.reasons.items():
            sums[self.rejections][(reason,)] += images
        # A batch that was given up took no time that says anything, and no model saw it.
        if batch.state is BatchState.DONE:
            self._add_to_model(batch, (batch.model, str(batch.model_id)), sums)
            self.batch_seconds.labels(queue).observe(batch.seconds)
            for stage, seconds in batch.timings.items():
                self.stage_seconds.labels(stage, queue).observe(seconds)

    def _add_to_model(self, batch: EndedBatch, model: tuple[str, str], sums: _Sums) -> None:
        for verdict, images in batch.verdicts.items():
            sums[self.verdicts][*model, verdict] += images
        for reason, images in batch.reasons.items():
            turned_away_as = Reason(reason).verdict
            if turned_away_as is not None:
                sums[self.verdicts][*model, turned_away_as.value] += images
        for label, images in batch.labels.items():
            sums[self.labels][*model, label] += images
        sums[self.labelled][model] += batch.labelled
        sums[self.correct][model] += batch.correct
        sums[self.escalated][model] += batch.escalated
        self.confidences.add(batch, model)

    def collect(self) -> Iterator[Metric]:
        """All families."""
        counters = (self.images, self.batches, self.rejections, self.verdicts, self.labels)
        of_models = (self.labelled, self.correct, self.escalated)
        for family in (*counters, *of_models, self.batch_seconds, self.stage_seconds):
            yield from family.collect()
        yield self.confidences.family()


class _Confidences:
    """The confidences by model, which come counted by bound already: to observe each would take longer than all else."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], Count[str]] = defaultdict(Count)
        self._sums: Count[tuple[str, str]] = Count()

    def add(self, batch: EndedBatch, model: tuple[str, str]) -> None:
        """Count the scored images of a batch."""
        self._counts[model].update(batch.confidences)
        self._sums[model] += batch.confidence_sum  # type: ignore[assignment]  # a Counter may hold floats

    def family(self) -> Metric:
        """As Prometheus has a histogram: each bucket holds those below it, too."""
        help_text = "Confidence of each scored image, by model."
        family = HistogramMetricFamily("digitline_confidence_ratio", help_text, labels=_MODEL)
        for model, counts in self._counts.items():
            below = accumulate(counts[str(bound)] for bound in CONFIDENCE_BOUNDS)
            buckets = [(str(bound), float(images)) for bound, images in zip(CONFIDENCE_BOUNDS, below, strict=True)]
            family.add_metric(model, [*buckets, ("+Inf", float(counts.total()))], self._sums[model])
        return family


def _counter(name: str, help_text: str, *labels: str) -> Counter:
    return Counter(f"digitline_{name}", help_text, labels, registry=None)


def _histogram(name: str, help_text: str, *labels: str) -> Histogram:
    return Histogram(f"digitline_{name}_seconds", help_text, labels, buckets=SECONDS, registry=None)
