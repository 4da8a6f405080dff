"""The inbox in object storage: every prefix directly below it is a drop, and stays where it is.

A bucket has no rename, so nothing is moved to claim it. What was submitted of a drop, and how it looked, is in the
ledger; the claim of the next job of a drop is numbered by the jobs that it had, so that of several schedulers one makes
it. What comes later, or is other than it was, becomes another job.
"""

from __future__ import annotations

import hashlib
import logging
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

from core.crash import crash_point
from core.errors import LabelsError, SourceUnreadable
from core.ledger import drops as ledger
from core.ledger import jobs
from core.objects import Entry, get_store
from core.sources import Prefix, to_url
from core.vocabulary import Job, Labels, Manifest, NewJob, QueueName, Trigger
from scheduler.folder import Paths, cut, true_labels
from scheduler.known import KnownFiles
from scheduler.names import READY_FILE, ignored
from scheduler.prefix import is_to_score
from scheduler.producer import Line, send, size_of_batches
from scheduler.settle import Look, Tracker
from scheduler.shelf import drop_claims, shelve_unsubmitted

log = logging.getLogger(__name__)


class BucketInbox:
    """A prefix that is watched; everything that stays as it is below it is scored."""

    def __init__(self, line: Line, inbox: Prefix, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask the store for nothing yet.

        Args:
            line: the servers.
            inbox: the prefix.
            clock: seconds, monotonic.
        """
        self._line, self._inbox, self._clock = line, inbox, clock
        self._tracker = Tracker(line.settings.settle_time, clock)
        #: Drops of which nothing is left to submit, and how they looked then.
        self._finished: dict[str, int] = {}
        #: When it is to be looked at again, by that clock.
        self._due = 0.0

    def look(self) -> list[Job]:
        """Make jobs of what has come and stays as it is; returns them.

        A look costs a request for each thousand objects, so that there are some seconds between two of them.

        Raises:
            SourceNotFound, SourceUnreadable, StoreUnreachable: the bucket cannot be listed, or written to, now.
            LedgerUnreachable, QueueUnreachable: what has come is found again at a later look.
        """
        if self._clock() < self._due:
            return []
        # Also where this look fails: what is away is not asked at every turn of a loop that has more to do.
        self._due = self._clock() + self._line.settings.inbox_urls_interval
        looks = {name: _survey(self._entries(name)).look for name in self._names()}
        news = {name: look for name, look in looks.items() if self._finished.get(name) != look.changed}
        self._finished = {name: look for name, look in self._finished.items() if name in looks}
        rested = self._tracker.rested({name: self._with_ready(name, look) for name, look in news.items()})
        made = [self._take(name, looks[name]) for name in sorted(rested)]
        if any(look.files for look in news.values()):
            self._due = self._clock() + self._line.settings.settle_time
        return [job for job in made if job is not None]

    def _names(self) -> list[str]:
        """The drops: prefixes by their names, and, as one without a name, what lies loose in the inbox."""
        level = list(get_store().entries(self._inbox, deep=False))
        names = [
            entry.path[:-1] for entry in level if entry.path.endswith("/") and entry.path not in {"./", "../", "/"}
        ]
        loose = [""] if any(is_to_score(entry.path) for entry in level) else []
        return loose + [name for name in names if not ignored(name)]

    def _entries(self, name: str) -> Iterator[Entry]:
        return get_store().entries(self._drop(name), deep=bool(name))

    def _drop(self, name: str) -> Prefix:
        return self._inbox.below(name) if name else self._inbox

    def _with_ready(self, name: str, look: Look) -> Look:
        """A look whose sign that it is complete counts for the first job alone: it lies there for ever after."""
        if not look.ready or not ledger.last_claim(self._line.database, drop_claims(self._inbox, name)):
            return look
        return Look(look.files, look.bytes, look.changed)

    def _take(self, name: str, look: Look) -> Job | None:
        """Make a job of what is new in a drop that has settled; None where nothing is, or it has changed again."""
        drop, claims = self._drop(name), drop_claims(self._inbox, name)
        last = ledger.last_claim(self._line.database, claims)  # before what was submitted, or both could miss a job
        survey = _survey(self._entries(name))
        if survey.look != look:
            return None
        for path in survey.odd:
            log.error("%s: the key %r is left alone, for no name holds a NUL", drop, path)
        new = _unlike(survey, ledger.submitted(self._line.database, claims))
        if not any(new):
            self._finished[name] = look.changed
            return None
        try:
            labels = true_labels(drop, survey.paths, Labels.AUTO)
        except (LabelsError, SourceUnreadable) as error:
            place = shelve_unsubmitted(self._inbox, name or _loose(survey.paths), f"{look.changed:016x}"[:8], error)
            log.error("%s could not become a job, as %s says: %s %s", drop, place, error, error.mend)
            self._finished[name] = look.changed
            return None
        return self._submit(name, f"{claims}{last + 1}", self._manifests(survey, labels, new))

    def _manifests(self, survey: _Survey, labels: list[int | None] | None, new: bytearray) -> list[Manifest]:
        paths, marks = Paths(compress(survey.paths, new)), array("Q", compress(survey.marks, new))
        size = self._line.settings.batch_size or size_of_batches(len(paths))
        of_new = None if labels is None else list(compress(labels, new))
        return [
            Manifest(one.paths, one.true_labels, marks[at * size : (at + 1) * size])
            for at, one in enumerate(cut(paths, of_new, size))
        ]

    def _submit(self, name: str, claim: str, manifests: Sequence[Manifest]) -> Job:
        settings, found = self._line.settings, sum(map(len, manifests))
        new = NewJob(
            name=name or _loose([path for manifest in manifests for path in manifest.paths]),
            source=to_url(self._drop(name)),
            manifests=manifests,
            queue=QueueName.EXPRESS if found <= settings.express_limit else QueueName.BULK,
            triggered_by=Trigger.INBOX,
            split=settings.split,
            max_rejected=settings.max_rejected,
            claim=claim,
        )
        room = settings.window - self._line.inspector.depths()[new.queue]
        job = jobs.create(self._line.database, new, room=room)
        crash_point("drops.committed")
        send(self._line, job)
        return job


@dataclass(frozen=True, slots=True)
class _Survey:
    """What a listing of a drop shows."""

    #: Of what is to be scored.
    paths: Paths
    #: One for each path: another one where its bytes are others.
    marks: array[int]
    look: Look
    #: Keys that no ledger keeps.
    odd: Sequence[str]


def _survey(entries: Iterable[Entry]) -> _Survey:
    """Go through the listing of a drop once; two equal looks are a sign of rest, whatever any clock says."""
    marks, whole = array("Q"), hashlib.blake2b(digest_size=8)
    size, ready = 0, False
    odd: list[str] = []

    def to_score() -> Iterator[str]:
        nonlocal size, ready
        for entry in entries:
            whole.update(f"{entry.path}\0{entry.size}\0{entry.mark}\0".encode(errors="surrogateescape"))
            size += entry.size
            ready = ready or entry.path == READY_FILE
            if "\0" in entry.path:
                odd.append(entry.path)
            elif is_to_score(entry.path):
                marks.append(_number(f"{entry.size} {entry.mark}"))
                yield entry.path

    paths = Paths(to_score())
    return _Survey(paths, marks, Look(len(paths), size, int.from_bytes(whole.digest()), ready), odd)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _unlike(survey: _Survey, submitted: Iterable[tuple[Sequence[str], array[int]]]) -> bytearray:
    """For each path, 1 where it was not submitted with these bytes, else 0."""
    known = KnownFiles(pair for paths, marks in submitted for pair in zip(paths, marks, strict=False))
    return bytearray(pair not in known for pair in zip(survey.paths, survey.marks, strict=True))


def _loose(paths: Sequence[str]) -> str:
    """What a job of loose objects is called."""
    first = next(iter(paths))
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"
