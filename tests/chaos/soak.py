"""The soak: a quiet run, then faults while folders arrive, then peace until every job has ended, then the oracle."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from core import tables
from core.errors import LedgerUnreachable
from core.ledger import jobs
from core.vocabulary import Job
from tests.chaos.faults import FAULTS
from tests.chaos.scene import Scene
from tests.chaos.work import Arrival, Sender
from tests.digits import digit_folder
from tests.oracle import Findings, findings, labels_of
from tests.waiting import wait_until

_POOL = 300
#: Seconds between two faults, and between two arrivals.
_FAULT_EVERY = (1.0, 8.0)
_ARRIVAL_EVERY = (0.5, 3.0)
#: Jobs that may be open while another folder arrives: a soak disturbs the line, and does not drown it on a slow machine.
_MOST_OPEN = 30
#: Seconds that the line gets for what is left once nothing disturbs it any more.
_PEACE = 300.0


@dataclass
class Report:
    """What came of a soak."""

    seed: int
    seconds: float = 0.0
    jobs: int = 0
    images: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    mislabelled: int = 0
    unaccounted: int = 0
    wrong_matrices: int = 0
    unended: int = 0
    missing_jobs: int = 0
    #: Seconds from each fault, while work was open, to the next batch that was recorded.
    recoveries: list[float] = field(default_factory=list)
    #: What was wrong, job by job.
    complaints: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether the promise was kept."""
        return not self.complaints


def soak(seconds: float, seed: int, tell: Callable[[str], None], keep: Path | None = None) -> Report:
    """Disturb a line for a while.

    Args:
        seconds: of disturbance; the quiet run before it and the peace after it come on top.
        seed: of what arrives and what is done to it; when each thing happens depends on the machine as well.
        tell: told what happens.
        keep: folder for home and logs, to be looked at afterwards; None: they are removed.
    """
    report = Report(seed)
    with tempfile.TemporaryDirectory(prefix="dl-chaos-") as temporary, Scene(keep or Path(temporary)) as scene:
        pool = digit_folder(scene.folder / "pool", _POOL)
        sender = Sender(scene, pool, _quiet(scene, pool), random.Random(f"{seed} arrivals"))
        watch = _Watch(scene)
        tell("the quiet run is over; here come the faults")
        started = time.monotonic()
        _disturb(scene, sender, watch, started + seconds, report, tell)
        tell(f"{report.kills.total()} faults, {len(sender.arrivals)} arrivals; now there is peace")
        _settle(scene, sender.arrivals, report)
        report.seconds = time.monotonic() - started
        watch.end()
        report.recoveries = watch.recoveries()
        report.restarts = scene.restarts
        _judge(scene, sender.arrivals, report)
    return report


def _quiet(scene: Scene, pool: Path) -> dict[str, int | str | None]:
    """By path, what the line reads where nothing disturbs it."""
    job = scene.send(pool)
    wait_until(lambda: jobs.get(scene.database, job.id).state.ended, "the quiet run ends", 120)
    labels = dict(labels_of(scene.database, job.id))
    assert len(labels) == _POOL, "a quiet run must not lose anything either"
    return labels


def _disturb(
    scene: Scene, sender: Sender, watch: _Watch, until: float, report: Report, tell: Callable[[str], None]
) -> None:
    """Let folders arrive in a thread of its own while fault follows fault."""
    over, rng = threading.Event(), random.Random(f"{report.seed} faults")
    pace = random.Random(f"{report.seed} pace")
    errors: list[BaseException] = []

    def arrive() -> None:
        try:
            while not over.wait(pace.uniform(*_ARRIVAL_EVERY)):
                if _open_jobs(scene) < _MOST_OPEN:
                    sender.send()
        except BaseException as error:  # noqa: BLE001  # told by the main thread
            errors.append(error)

    arriving = threading.Thread(target=arrive, daemon=True)
    arriving.start()
    while time.monotonic() < until and not errors:
        fault = rng.choices(list(FAULTS), list(FAULTS.values()))[0]
        tell(fault.__name__.replace("_", " "))
        watch.note_fault()
        fault(scene, rng)
        report.kills[fault.__name__] += 1
        time.sleep(rng.uniform(*_FAULT_EVERY))
    over.set()
    arriving.join(120)
    if errors:
        raise errors[0]
    if arriving.is_alive():
        raise AssertionError("A script still tries to submit.")


def _open_jobs(scene: Scene) -> float:
    """How many jobs are open; too many to tell where the ledger does not answer."""
    chosen = select(func.count()).where(tables.jobs.c.state.in_(jobs.UNENDED))
    try:
        with scene.database.read() as connection:
            return float(connection.execute(chosen).scalar_one())
    except LedgerUnreachable:
        return float("inf")


def _settle(scene: Scene, arrivals: list[Arrival], report: Report) -> None:
    assert scene.settings.crash_points is not None
    for point in scene.settings.crash_points.iterdir():
        if not point.name.startswith("look."):
            point.unlink(missing_ok=True)

    def over() -> bool:
        named = _by_name(scene)
        return all(
            name in named or not arrival.certain for name, arrival in ((one.name, one) for one in arrivals)
        ) and all(job.state.ended for job in named.values())

    try:
        wait_until(over, "every job ends", _PEACE, interval=0.5)
    except AssertionError as error:
        report.complaints.append(str(error))


def _judge(scene: Scene, arrivals: list[Arrival], report: Report) -> None:
    named, twice = _by_name(scene), Counter(job.name for job in _jobs(scene))
    for arrival in arrivals:
        job = named.get(arrival.name)
        if job is None:
            if arrival.certain:
                report.missing_jobs += 1
                report.lost += len(arrival.expected)
                report.complaints.append(f"{arrival.name}: there is no job")
            continue
        report.jobs += 1
        report.images += len(arrival.expected)
        if twice[arrival.name] > 1:
            report.duplicated += len(arrival.expected)
            report.complaints.append(f"{arrival.name}: there are {twice[arrival.name]} jobs")
        if not job.state.ended:
            report.unended += 1
            report.complaints.append(f"{arrival.name}: job {job.id} is {job.state}: {job.trouble}")
            continue
        _add(report, arrival.name, findings(scene.database, job.id, arrival.expected))


def _add(report: Report, name: str, found: Findings) -> None:
    report.lost += len(found.lost)
    report.duplicated += len(found.duplicated)
    report.unexpected += len(found.unexpected)
    report.mislabelled += len(found.mislabelled)
    report.unaccounted += found.unaccounted
    report.wrong_matrices += not found.confusion_agrees
    if found.lost or found.duplicated or found.unexpected or found.mislabelled or found.unaccounted:
        report.complaints.append(f"{name}: {found}")
    elif not found.confusion_agrees:
        report.complaints.append(f"{name}: the confusion matrix is not that of its rows")


def _jobs(scene: Scene) -> list[Job]:
    return [job for job in jobs.newest(scene.database, 1_000_000) if job.name.startswith("arrival-")]


def _by_name(scene: Scene) -> dict[str, Job]:
    return {job.name: job for job in _jobs(scene)}


class _Watch:
    """Looks at the ledger several times a second: how many batches are recorded, and are any open?"""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        #: Moment, batches recorded, batches open.
        self._looks: list[tuple[float, int, int]] = []
        self._faults: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def note_fault(self) -> None:
        """A fault begins now."""
        self._faults.append(time.monotonic())

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join(30)

    def recoveries(self) -> list[float]:
        """Seconds from each fault to the next recorded batch; of faults after which no work was open, none."""
        found, moments = [], [look[0] for look in self._looks]
        for fault in self._faults:
            looks = self._looks[bisect_left(moments, fault) :]
            began = next((place for place, look in enumerate(looks) if look[2]), None)
            if began is None:
                continue
            recorded = looks[began][1]
            back = next((look[0] for look in looks[began:] if look[1] > recorded), None)
            if back is not None:
                found.append(back - looks[began][0])
        return found

    def _look(self) -> None:
        states = select(tables.batches.c.state, func.count()).group_by(tables.batches.c.state)
        while not self._over.wait(0.2):
            try:
                with self._scene.database.read() as connection:
                    counts = {state: int(count) for state, count in connection.execute(states)}
            except LedgerUnreachable:
                continue  # it is down just now
            waiting = counts.get("queued", 0) + counts.get("leased", 0)
            self._looks.append((time.monotonic(), counts.get("done", 0) + counts.get("quarantined", 0), waiting))
