"""The scheduler's process: looks at the inbox when something changes there and at every interval, and sweeps."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator

import watchfiles

from core import room
from core.errors import DigitlineError
from core.settings import Settings
from scheduler import endpoint
from scheduler.inbox import Inbox
from scheduler.notices import Messenger
from scheduler.producer import Line, fill
from scheduler.pruning import Retention
from scheduler.setbacks import Setbacks
from scheduler.sweep import sweep
from scheduler.timetable import Timetable

log = logging.getLogger(__name__)

#: Seconds that events are gathered before they count as one.
_DEBOUNCE = 0.2
#: Seconds for which a thread of this process, such as that of the schedules, keeps the others waiting: a turn of the loop
#: gives its turn away some hundred times.
_SWITCH = 0.0005
#: Seconds between two trials of whether there is room, while nothing says that there is none.
_TRIAL_EVERY = 60.0


def run(settings: Settings, *, once: bool = False) -> None:
    """Run until SIGTERM or SIGINT; with `once`, do everything once and return.

    Raises:
        SettingsError: the inbox and its neighbours cannot be used.
        RevisionMismatch: the ledger's schema is not this version's.
        LineError: the metrics cannot be served on the port that is set.
        DigitlineError: with `once`, a step failed.
    """
    sys.setswitchinterval(_SWITCH)
    line = Line.open(settings)
    line.database.check_revision()
    inbox, setbacks = Inbox(line), Setbacks()
    stop = _stop_on_signals()
    if not once:
        endpoint.serve(settings, setbacks)
    turn = _Turn(line, inbox, setbacks, Messenger(settings, line.database, stop), once=once)
    log.info("the inbox is %s", settings.inbox_folder)
    for _ in _wake_ups(settings, stop):
        worked = turn.take()
        if once and not worked:
            raise DigitlineError("In this round not everything could be done.", mend="The log says why; run it again.")
        if once:
            return


class _Turn:
    """What the loop does whenever it wakes up: each step in its turn, whatever became of the others."""

    def __init__(self, line: Line, inbox: Inbox, setbacks: Setbacks, messenger: Messenger, *, once: bool) -> None:
        self._line, self._inbox, self._setbacks, self._messenger, self._once = line, inbox, setbacks, messenger, once
        self._timetable, self._retention = Timetable(line, setbacks), Retention(line)
        self._next_sweep, self._next_trial = 0.0, 0.0
        self._may_fill = True

    def take(self) -> bool:
        """Do what is to be done now; returns whether all of it worked."""
        attempt = self._setbacks.attempt
        worked = [attempt("the inbox", self._look)]
        if self._once or time.monotonic() >= self._next_sweep:
            worked += self._sweep()
        elif self._may_fill:
            # Between two sweeps many workers could empty a window; where that fails, the next sweep says so.
            self._may_fill = attempt("the queues", lambda: fill(self._line))
        worked.append(attempt("the sign of life", lambda: _note_alive(self._line.settings)))
        return all(worked)

    def _look(self) -> None:
        """Look at the inbox, while there is room for what comes of it."""
        room.check_disk(self._line.settings)
        self._inbox.look()

    def _sweep(self) -> list[bool]:
        attempt = self._setbacks.attempt
        done = [
            attempt("the sweep", lambda: sweep(self._line, self._setbacks)),
            self._timetable.turn(wait=self._once),
            attempt("the hooks", lambda: self._messenger.turn(wait=self._once)),
            attempt("pruning", self._retention.turn),
            *self._try_for_room(),
        ]
        self._next_sweep, self._may_fill = time.monotonic() + self._line.settings.sweep_interval, True
        return done

    def _try_for_room(self) -> list[bool]:
        """Find out now and then whether ledger and Redis take what they are given, and after every sweep where not."""
        if time.monotonic() < self._next_trial and not any(self._setbacks.without_room().values()):
            return []
        self._next_trial = time.monotonic() + _TRIAL_EVERY
        line, attempt = self._line, self._setbacks.attempt
        return [
            attempt("room in the ledger", lambda: room.check_ledger(line.database)),
            attempt("room in Redis", lambda: room.check_redis(line.inspector)),
        ]


def _wake_ups(settings: Settings, stop: threading.Event) -> Iterator[None]:
    """Yield at once, then at every change in the inbox and at every interval; events are hints, the interval is sure."""
    yield
    interval = min(settings.scan_interval, max(settings.settle_time / 2, 0.05))
    try:
        for _ in watchfiles.watch(
            settings.inbox_folder,
            stop_event=stop,
            debounce=int(_DEBOUNCE * 1000),
            rust_timeout=int(interval * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            yield
    except (OSError, RuntimeError) as error:
        log.warning("the inbox cannot be watched (%s); it is looked at every %s s instead", error, interval)
        while not stop.wait(interval):
            yield


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if hasattr(signal, "SIGIO"):
        # While being_written() holds its lease for a moment, the kernel sends this to us when somebody opens the file
        # for writing; unless told otherwise, it ends the process.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
    return stop


def _note_alive(settings: Settings) -> None:
    """Touch a file whose age tells a health check that the loop still turns."""
    settings.heartbeat_file.parent.mkdir(parents=True, exist_ok=True)
    settings.heartbeat_file.touch()
