"""What the steps come to: figures with what is wanted of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

from rich.console import Console

from benchmarks.scale.folder import BLOCK
from benchmarks.scale.servers import Kind
from benchmarks.scale.submitting import Submitted
from benchmarks.scale.work import Recorded
from digitline.cli.screen import table

#: Images a second at least; MB of memory, seconds of a page and ratio of the costs at the most.
_RATE, _MEMORY, _PAGE, _RATIO = 30_000.0, 200.0, 1.0, 1.15


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured."""

    name: str
    value: float
    unit: str
    #: What is wanted, at the most; with `least`, at least; None: it is for information.
    target: float | None = None
    least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether it is as wanted; None where nothing is."""
        if self.target is None:
            return None
        return self.value >= self.target if self.least else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Measured:
    """A folder on its way through a line with one kind of database, and jobs of 10,000 of its images before it."""

    kind: Kind
    small: Sequence[Recorded]
    submitted: Submitted
    recorded: Recorded
    pages: Mapping[str, float]
    commands: Mapping[str, float]
    #: By step, then by what the servers count.
    per_batch: Mapping[str, Mapping[str, float]]


def ratios(measured: Measured) -> list[Figure]:
    """How much dearer an image is in the large job."""
    large, small, images = measured.recorded, measured.small, measured.submitted.images
    by_clock = (large.seconds / images) / (median(one.seconds for one in small) / BLOCK)
    found = [Figure(f"{measured.kind}:{images}/{BLOCK}:clock", by_clock, "", _RATIO)]
    if large.batches:
        few = len(small[0].batches)
        # By the image, for a large job is cut into larger batches.
        by_ledger = _by_image(large, images) / median(_by_image(one, BLOCK) for one in small)
        found += [
            Figure(f"{measured.kind}:{images}/{BLOCK}:ledger", by_ledger, "", _RATIO),
            Figure(f"{measured.kind}:last/first-{BLOCK}:ledger", _last_by_first(large.batches, few), "", _RATIO),
        ]
    return found


def figures(measured: Measured) -> Iterator[Figure]:
    """Everything else, in the order of the job's way."""
    submitted, recorded = measured.submitted, measured.recorded
    before, after_submission, after_sweeps = submitted.memory
    yield Figure("submitted", submitted.images / submitted.seconds, "images/s", _RATE, least=True)
    yield Figure("of it, listing the folder", submitted.listing, "s")
    yield Figure("memory of the scheduler: start", before, "MB", _MEMORY)
    yield Figure("memory of the scheduler: submitted", after_submission, "MB", _MEMORY)
    yield Figure("memory of the scheduler: swept", after_sweeps, "MB", _MEMORY)
    yield Figure("sweep, every batch in Redis", submitted.sweep * 1000, "ms")
    yield Figure("recorded, by the clock", submitted.images / recorded.seconds, "images/s")
    if recorded.batches:
        yield Figure("claim and end of a batch, median", median(recorded.batches) * 1000, "ms")
        yield Figure("claim and end of a batch, mean", mean(recorded.batches) * 1000, "ms")
        yield Figure("of it, the job's row is locked, median", median(recorded.locked) * 1000, "ms")
    for name, seconds in measured.pages.items():
        yield Figure(f"first page: {name}", seconds * 1000, "ms", _PAGE * 1000)
    for name, seconds in measured.commands.items():
        yield Figure(f"command: {name}", seconds * 1000, "ms")
    for step, counted in measured.per_batch.items():
        for name, value in counted.items():
            yield Figure(f"{step}, a batch: {name}", value, "")


def print_findings(console: Console, measured: Measured) -> None:
    """Print one line a ratio, then a table."""
    for ratio in ratios(measured):
        console.print(f"ratio {ratio.name} {ratio.value:.3f} target {ratio.target:g}")
    columns = ("what", "value", "unit", "wanted", "met")
    console.print(
        table((measured.kind.value, *columns[1:]), map(_line, figures(measured)), numbers=["value", "wanted"])
    )
    console.print()


def _by_image(recorded: Recorded, images: int) -> float:
    return median(recorded.batches) * len(recorded.batches) / images


def _last_by_first(batches: Sequence[float], few: int) -> float:
    return median(batches[-few:]) / median(batches[:few])


def _line(figure: Figure) -> tuple[str, ...]:
    wanted = "" if figure.target is None else f"{'>=' if figure.least else '<='} {figure.target:,.0f}"
    met = {None: "", True: "yes", False: "NO"}[figure.met]
    return (figure.name, f"{figure.value:,.{0 if figure.value >= 100 else 1}f}", figure.unit, wanted, met)
