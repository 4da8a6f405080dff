"""Ties a process of the line to the `digitline up` that started it: when that one dies, however it dies, this one ends."""

from __future__ import annotations

import os
import select
import signal
import threading
import time

#: Holds the process id of `digitline up` in the processes it starts.
VARIABLE = "LINE_PROCESS_ID"

#: Seconds between two looks where the system has no pidfd_open(2).
_LOOK_EVERY = 0.5


def end_with_the_line(grace_time: float) -> None:
    """End this process once `digitline up` is gone: by SIGTERM, and after `grace_time` seconds its group by SIGKILL."""
    process_id = os.environ.get(VARIABLE)
    if process_id is not None:
        threading.Thread(target=_watch, args=(int(process_id), grace_time), name="lifeline", daemon=True).start()


def _watch(process_id: int, grace_time: float) -> None:
    _wait_for_the_end_of(process_id)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_time)
    os.killpg(0, signal.SIGKILL)


def _wait_for_the_end_of(process_id: int) -> None:
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        while alive(process_id):
            time.sleep(_LOOK_EVERY)
        return
    select.select([descriptor], [], [])


def alive(process_id: int) -> bool:
    """True while there is a process of that id."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
