"""The scheduler's process: looks at the inbox when something changes there and at every interval, and sweeps."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator

import watchfiles

from core.errors import DigitlineError
from core.settings import Settings
from scheduler import endpoint
from scheduler.inbox import Inbox
from scheduler.notices import Messenger
from scheduler.producer import Line, fill
from scheduler.pruning import Retention
from scheduler.schedules import run_due
from scheduler.sweep import sweep

log = logging.getLogger(__name__)

#: Seconds that events are gathered before they count as one.
_DEBOUNCE = 0.2


def run(settings: Settings, *, once: bool = False) -> None:
    """Run until SIGTERM or SIGINT; with `once`, do everything once and return.

    Raises:
        SettingsError: the inbox and its neighbours cannot be used.
        RevisionMismatch: the ledger's schema is not this version's.
        LineError: the metrics cannot be served on the port that is set.
        DigitlineError: with `once`, a step failed.
    """
    line = Line.open(settings)
    line.database.check_revision()
    inbox = Inbox(line)
    stop = _stop_on_signals()
    if not once:
        endpoint.serve(settings)
    messenger, retention = Messenger(settings, line.database, stop), Retention(line)
    log.info("the inbox is %s", settings.inbox_folder)
    next_sweep, may_fill = 0.0, True
    for _ in _wake_ups(settings, stop):
        worked = [_attempt(inbox.look)]
        if once or time.monotonic() >= next_sweep:
            worked.append(_attempt(lambda: sweep(line)))
            worked.append(_attempt(lambda: run_due(line)))
            worked.append(_attempt(lambda: messenger.turn(wait=once)))
            worked.append(_attempt(retention.turn))
            next_sweep, may_fill = time.monotonic() + settings.sweep_interval, True
        elif may_fill:
            # Between two sweeps many workers could empty a window; where that fails, the next sweep says so.
            may_fill = _attempt(lambda: fill(line))
        worked.append(_attempt(lambda: _note_alive(settings)))
        if once and not all(worked):
            raise DigitlineError("In this round not everything could be done.", mend="The log says why; run it again.")
        if once:
            return


def _attempt(step: Callable[[], object]) -> bool:
    """Do a step; where a server does not answer or the disk is full, say so and go on: the next round tries again.

    Returns:
        Whether it worked.
    """
    try:
        step()
    except DigitlineError as error:
        log.error("%s %s Trying again.", error, error.mend)
        return False
    except OSError as error:
        log.error("%s. Trying again.", error)
        return False
    return True


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
