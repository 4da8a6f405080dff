"""A process of its own that looks at images, so that a picture that ends a process ends that one, and is named for it.

A worker looks at images itself, which is quicker. Only where an attempt at a batch has failed, maybe since an image
crashed a library or ate the memory, are the batch's images looked at in here.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from classifier.preprocess import SIDE
from core.errors import ImageRejected, SandboxError
from core.vocabulary import Reason
from worker.look import Eye, Ways
from worker.seen import Seen

#: Seconds a sandbox may take to start, and to look at one picture; decent ones take a thousandth of it.
PATIENCE = 60.0
#: Times that an image may end a sandbox before it is taken for the cause.
_CHANCES = 2
#: Seconds between two signs of life while the sandbox is waited for.
_SIGN_EVERY = 0.5


class Sandbox:
    """Looks at one image after the other in a child process, and in a new one where that is gone; close it."""

    def __init__(self, eye: Eye, sign: Callable[[], None]) -> None:
        """Prepare; the process starts with the first image.

        Args:
            eye: what is to look at images in there.
            sign: called now and then while an image is waited for, so that nobody takes the waiting for dead.
        """
        self._eye = {"max_pixels": eye.max_pixels, "split": eye.split}
        self._sign = sign
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None

    def look(self, data: bytes, path: str) -> Ways:
        """Look at an image as `Eye.look` does.

        Raises:
            ImageRejected: the file or its picture is at fault; `quarantined` where it ended its process again and
                again.
            SandboxError: the process does not start.
        """
        end = ""
        for _ in range(_CHANCES):
            line = self._started()
            try:
                _send(line, json.dumps({"eye": self._eye, "path": path}).encode(), data)
                if self._answered(line):
                    return _ways(line)
                end = f"took more than {PATIENCE:g} s"
            except (EOFError, OSError):
                end = f"ended its process {self._how_it_ended()}"
            self.close()
        raise ImageRejected(Reason.QUARANTINED, f"Looking at it {end}, {_CHANCES} times of {_CHANCES}.")

    def close(self) -> None:
        """End the process, if there is one."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._line = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self) -> Connection:
        """The line to a living process; that it has started is no image's merit or fault."""
        if self._line is not None:
            return self._line
        self._line, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-P", "-m", "worker.sandbox", str(number)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[number])
        try:
            if self._answered(self._line):
                self._line.recv_bytes()
                return self._line
            how = f"does not start within {PATIENCE:g} s"
        except (EOFError, OSError):
            how = f"ends {self._how_it_ended()} as it starts"
        self.close()
        raise SandboxError(f"The process that is to look at images {how}.")

    def _answered(self, line: Connection) -> bool:
        """Wait for an answer; False where none comes in time."""
        deadline = time.monotonic() + PATIENCE
        while not line.poll(_SIGN_EVERY):
            self._sign()
            if time.monotonic() > deadline:
                return False
        return True

    def _how_it_ended(self) -> str:
        code = 0 if self._process is None else self._process.wait()
        return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"


def _send(line: Connection, *messages: bytes) -> None:
    for message in messages:
        line.send_bytes(message)


def _ways(line: Connection) -> Ways:
    """Read an answer; what was inside with a hostile picture is not trusted to send Python objects."""
    answer = json.loads(line.recv_bytes())
    if "reason" in answer:
        raise ImageRejected(Reason(answer["reason"]), answer["message"])
    digits = iter(np.frombuffer(line.recv_bytes(), np.uint8).reshape(-1, SIDE, SIDE))
    return [[list(islice(digits, count)) for count in piece] for piece in answer["ways"]]


def _serve(line: Connection) -> None:
    """Be the sandbox: answer until the worker hangs up."""
    line.send_bytes(b"ready")
    while True:
        task, data = json.loads(line.recv_bytes()), line.recv_bytes()
        seen = Seen()
        with seen.looking_at(0, task["path"]):
            seen.add(0, data, Eye(**task["eye"]).look(data, task["path"]))
        for refusal in seen.refusals.values():
            _send(line, json.dumps({"reason": refusal.reason.value, "message": str(refusal)}).encode())
        for ways in seen.ways:
            _send(line, json.dumps({"ways": ways}).encode(), seen.digits.tobytes())


def _go_first() -> None:
    """Ask the kernel to end this process before any other where memory runs out; Linux alone listens."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("1000")


if __name__ == "__main__":
    # What stops the worker must not look like the deed of an image.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    _go_first()
    with suppress(EOFError, ConnectionError):  # the worker hangs up, or is gone
        _serve(Connection(int(sys.argv[1])))
