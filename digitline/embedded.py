"""`digitline up`: the whole line on one machine, with nothing installed: Redis, scheduler, workers, its pages."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from honcho.manager import Manager
from honcho.printer import Message, Printer

from core.errors import LineError
from core.queues import Inspector
from core.settings import PREFIX, Settings
from digitline import flower as flower_process
from digitline import lifeline, redis_server
from digitline.printer import LoggingPrinter
from digitline.setup import prepare_ledger
from digitline.web import address as web_address
from scheduler import endpoint
from scheduler.inbox import prepare_folders

#: Runs `digitline` in a process of its own. -P: a stray module in the folder where it is typed must not take a
#: library's place.
DIGITLINE = (sys.executable, "-P", "-m", "digitline")

#: Ports tried for Flower and for the web page, from the ones that are set on.
_PORTS = 20
#: ANSI colour of Redis' lines; honcho deals out the others.
_REDIS_COLOUR = "35"


def up(settings: Settings, *, flower: bool = True, web: bool = True) -> int:
    """Run the line until Ctrl-C or SIGTERM, or until one of its processes ends by itself.

    Returns:
        Exit code: 0 where it was stopped, 1 where a process of it died.

    Raises:
        LineError: it runs already in this home, or cannot start.
        LedgerUnreachable, QueueUnreachable, SettingsError: as they say.
    """
    if flower:
        flower_process.check(settings)
    if web:
        web_address.check(settings)
    if not settings.embedded_queue:
        Inspector(settings).ping()
    prepare_folders(settings)
    settings.logs_folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_only_one(settings))
        prepare_ledger(settings)
        printer = stack.enter_context(LoggingPrinter.writing_to(settings.logs_folder))
        processes = Processes(settings, printer)
        if settings.embedded_queue:
            processes.listen_to(stack.enter_context(redis_server.running(settings)))
        pages = Pages.find(settings, flower=flower, web=web)
        processes.add("scheduler", ["scheduler"])
        processes.add("worker", ["worker"])
        if pages.flower is not None:
            processes.add("flower", ["flower", "--port", str(pages.flower)], pages.addresses(settings))
        if pages.web is not None:
            processes.add("web", ["web", "--port", str(pages.web)], pages.addresses(settings))
        print(_welcome(settings, pages), flush=True)
        processes.loop()
        processes.stopping = True
        print(_farewell(processes.exit_code), flush=True)
        return processes.exit_code


@dataclass(frozen=True, slots=True)
class Pages:
    """The ports of what is looked at in a browser; None: it is not served."""

    flower: int | None
    web: int | None

    @classmethod
    def find(cls, settings: Settings, *, flower: bool, web: bool) -> Pages:
        """Choose ports that nobody listens on.

        Raises:
            LineError: there is none.
        """
        return cls(
            free_port(settings.flower_address, settings.flower_port, "Flower") if flower else None,
            free_port(settings.web_address, settings.web_port, "the web page") if web else None,
        )

    def addresses(self, settings: Settings) -> dict[str, str]:
        """Settings of the pages: where each finds the other, unless somebody said where else a browser does."""
        found = {}
        if self.flower is not None and settings.web_flower_url is None:
            found[f"{PREFIX}WEB_FLOWER_URL"] = flower_process.url(settings, self.flower)
        if self.web is not None and settings.flower_web_url is None:
            found[f"{PREFIX}FLOWER_WEB_URL"] = web_address.url(settings.web_address, self.web)
        return found


class Processes(Manager):  # type: ignore[misc]  # honcho has no types
    """Honcho's manager, which gives each process the grace time and spares the children of the workers."""

    def __init__(self, settings: Settings, printer: Printer) -> None:
        super().__init__(printer)
        self._grace_time = settings.grace_time
        self._deadline: float | None = None
        #: True once an end of Redis is no surprise.
        self.stopping = False
        self.redis_died = False

    def add(self, name: str, verb: list[str], settings: Mapping[str, str] | None = None) -> None:
        """Add a process: a verb of `digitline`, with settings of its own beside those that all have."""
        # exec: honcho starts a shell, and a signal must reach the process itself.
        command = "exec " + shlex.join([*DIGITLINE, *verb])
        self.add_process(name, command, env={**os.environ, **(settings or {}), lifeline.VARIABLE: str(os.getpid())})

    def listen_to(self, redis: subprocess.Popen[bytes]) -> None:
        """Show the lines of Redis among the others, and end the line if Redis ends."""
        threading.Thread(target=self._relay, args=(redis.stdout,), name="redis", daemon=True).start()

    def terminate(self) -> None:
        """Ask every process to finish what it does; within the grace time."""
        if self._deadline is not None:
            return
        self._deadline = time.monotonic() + self._grace_time
        self._terminating = True
        for process in self._processes.values():
            # Not the group, as honcho would: a signal to the pool's children would tear their batches in two.
            if "pid" in process and "returncode" not in process:
                _signal(process["pid"], signal.SIGTERM)

    def kill(self) -> None:
        """Kill what is left once the grace time is over; honcho asks for it sooner."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            super().kill()

    @property
    def exit_code(self) -> int:
        """0 where the line was stopped, 1 where a process of it died."""
        stopped_by_hand = self.returncode in (130, 143)
        return 0 if stopped_by_hand and not self.redis_died else 1

    def _relay(self, lines: IO[bytes]) -> None:
        for text in lines:
            self.events.put(Message("line", text, datetime.now(), "redis", _REDIS_COLOUR))
        if not self.stopping:
            self.redis_died = True
            self.terminate()


def free_port(address: str, preferred: int, what: str) -> int:
    """The preferred port for that, or the next one that nobody listens on.

    Raises:
        LineError: none of them is free.
    """
    for port in range(preferred, preferred + _PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LineError(f"No port from {preferred} to {preferred + _PORTS - 1} is free for {what} on {address}.")


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Hold the home; a line that is just dying gets its grace time to let go of it."""
    path = settings.lock_file
    deadline = time.monotonic() + settings.grace_time + 5
    with path.open("a+") as lock:
        while not _locked(lock):
            lock.seek(0)
            owner = int(lock.read().strip() or 0)
            if (owner and lifeline.alive(owner)) or time.monotonic() > deadline:
                mend = "Stop it first, or set DIGITLINE_HOME to another folder."
                raise LineError(f"A line runs already in {settings.home_folder} (process {owner}).", mend=mend)
            time.sleep(0.2)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def running_line(settings: Settings) -> int | None:
    """The process id of the line that runs in this home, if one does."""
    try:
        with settings.lock_file.open("r+") as lock:
            if _locked(lock):
                return None
            return int(lock.read().strip() or 0) or None
    except FileNotFoundError:
        return None


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _signal(process_id: int, number: signal.Signals) -> None:
    try:
        os.kill(process_id, number)
    except ProcessLookupError:
        return  # it ended by itself a moment ago


def _farewell(exit_code: int) -> str:
    if exit_code == 0:
        return "The line has stopped. Nothing is lost; `digitline up` goes on where it was."
    return (
        "A process of the line died, so all of it was stopped; the lines above say which and why. Nothing is lost; "
        "`digitline up` goes on where it was."
    )


def _welcome(settings: Settings, pages: Pages) -> str:
    web = "" if pages.web is None else f"\n  web      {web_address.url(settings.web_address, pages.web)}"
    flower = "" if pages.flower is None else f"\n  Flower   {flower_process.url(settings, pages.flower)}"
    metrics = "" if settings.metrics_port is None else f"\n  metrics  {endpoint.url(settings)}"
    return (
        f"Digitline is starting in {settings.home_folder}\n"
        f"  inbox    {settings.inbox_folder}   drop images or folders here"
        f"{web}{flower}{metrics}\n"
        f"  results  {settings.done_folder}\n"
        f"Ctrl-C stops it; nothing is lost, and `digitline up` goes on where it was.\n"
    )
