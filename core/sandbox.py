"""A process of its own that tries what may end a process, so that what does ends that one, and is known for it.

It is asked one thing after the other, each with a deadline, and where it is gone another takes its place.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

#: Seconds between two signs of life while an answer is waited for.
_SIGN_EVERY = 0.5

#: A question or an answer: JSON, and bytes beside it. What was inside with something hostile is not trusted to send
#: Python objects.
Message: TypeAlias = tuple[Mapping[str, Any], bytes]


class SandboxLost(Exception):
    """It took too long, or ended: the message says how, and wants what it tried for a subject."""


class SandboxNotStarted(SandboxLost):
    """So did its start, of which nothing that it was to try is the cause."""


class Sandbox:
    """One such process, which starts when it is asked for the first time; close it, or use it in a `with`."""

    def __init__(self, module: str, *, patience: float, sign: Callable[[], None] = lambda: None) -> None:
        """Prepare.

        Args:
            module: what the process runs, and what calls `serve` in there.
            patience: seconds that it may take to start, and to answer.
            sign: called now and then while it is waited for, so that nobody takes the waiting for dead.
        """
        self._module, self._patience, self._sign = module, patience, sign
        self._running: tuple[subprocess.Popen[bytes], Connection] | None = None

    def ask(self, question: Mapping[str, Any], data: bytes = b"") -> Message:
        """Have something tried.

        Raises:
            SandboxNotStarted: there is nobody to ask.
            SandboxLost: whoever was asked is gone.
        """
        if self._running is None:
            self._running = self._start()
            try:
                self._answer(*self._running)
            except SandboxLost as error:
                raise SandboxNotStarted(str(error)) from error
        return self._answer(*self._running, (question, data))

    def close(self) -> None:
        """End the process, if there is one."""
        if self._running is not None:
            process, line = self._running
            line.close()
            process.kill()
            process.wait()
        self._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection]:
        line, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-P", "-m", self._module, str(number)]
            # One thread: it must keep nobody else waiting.
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[number], env=environment), line

    def _answer(self, process: subprocess.Popen[bytes], line: Connection, *questions: Message) -> Message:
        """What comes next, to a question or by itself."""
        try:
            for question in questions:
                _say(line, question)
            deadline = time.monotonic() + self._patience
            while time.monotonic() < deadline:
                if line.poll(_SIGN_EVERY):
                    return _hear(line)
                self._sign()
            how = f"took more than {self._patience:g} s"
        except (EOFError, OSError):
            code = process.wait()
            how = f"ended its process {f'by {signal.Signals(-code).name}' if code < 0 else f'with exit code {code}'}"
        except BaseException:
            self.close()  # or an answer that nobody waited for would pass for the next one
            raise
        self.close()
        raise SandboxLost(how)


def serve(answer: Callable[[Mapping[str, Any], bytes], Message], *, address_space: int | None = None) -> None:
    """Be the process: answer until whoever asks hangs up, or is gone.

    Args:
        answer: to a question and the bytes that go with it.
        address_space: bytes that the process gets at the most; default: as many as there are.
    """
    # What stops whoever asks must not look like the deed of what is tried.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    # The first that the kernel ends where memory runs out; Linux alone listens.
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("1000")
    if address_space is not None:
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    line = Connection(int(sys.argv[1]))
    with suppress(EOFError, ConnectionError):
        _say(line, ({}, b""))  # that it has started
        while True:
            _say(line, answer(*_hear(line)))


def _say(line: Connection, message: Message) -> None:
    line.send_bytes(json.dumps(message[0]).encode())
    line.send_bytes(message[1])


def _hear(line: Connection) -> Message:
    return json.loads(line.recv_bytes()), line.recv_bytes()
