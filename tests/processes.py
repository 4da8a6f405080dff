"""Real processes of the line, started as a user would and ended by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.settings import Settings
from tests.environment import variables
from tests.waiting import wait_until

#: Seconds in which a process starts, TensorFlow included, or ends, on the busiest machine.
PATIENCE = 120.0


class LineProcess:
    """One `digitline VERB`, in a session of its own, with its output in a file."""

    def __init__(self, settings: Settings, *arguments: str, log: Path, within: Sequence[str] = ()) -> None:
        """Start it.

        Args:
            settings: its environment.
            arguments: the verb and its own.
            log: where its output goes.
            within: a command that runs another one in its own place, such as `ip netns exec NAME`.
        """
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*within, sys.executable, "-m", "digitline", *arguments],
                env=variables(settings),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process itself, not of its children."""
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything it said so far."""
        return self.log.read_text(errors="replace")

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def says(self, text: str, times: int = 1) -> None:
        """Wait until its output holds the text that many times."""

        def said() -> bool:
            if self.exit_code is not None and self.output.count(text) < times:
                raise AssertionError(f"It ended with {self.exit_code} and never said {text!r}: {self.output[-3000:]}")
            return self.output.count(text) >= times

        wait_until(said, f"{self.log.name} says {text!r} {times} times", PATIENCE)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the process alone and wait; returns its exit code."""
        if self.exit_code is None:
            self._process.send_signal(number)
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill the process alone, as an out-of-memory killer does."""
        self.stop(signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and its whole session, so that nothing is left behind."""
        for process_id in [*members_of_session(self.pid), self.pid]:
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it went by itself
        self._process.wait(PATIENCE)


@contextmanager
def running(settings: Settings, *arguments: str, log: Path, within: Sequence[str] = ()) -> Iterator[LineProcess]:
    """A `digitline VERB` that is gone afterwards, however the test ends."""
    process = LineProcess(settings, *arguments, log=log, within=within)
    try:
        yield process
    finally:
        process.close()


def members_of_session(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                # The name in brackets may hold anything; after it come state, parent, group and session.
                state, _, _, of = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(of) == session and state != "Z":
                found.append(int(entry.name))
    return found


def processes_naming(text: str) -> dict[int, str]:
    """The command lines, by pid, in which a text occurs; this process's own is left out."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if text in line or text in environment:
                found[int(entry.name)] = line
    return found
