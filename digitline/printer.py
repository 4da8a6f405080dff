"""Prints what the processes of `digitline up` say, and keeps it in a log each."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from honcho.printer import Message, Printer

#: Bytes of a log before it is put aside, and how many older ones are kept.
LOG_BYTES = 10_000_000
OLD_LOGS = 3

_FULL = (errno.ENOSPC, errno.EDQUOT)


class LoggingPrinter(Printer):  # type: ignore[misc]  # honcho has no types
    """Prints each line under its process's name, and appends it to that process's log.

    What is printed matters more: a log that cannot be written, be it for a full disk, is given up until the next start.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(sys.stdout)
        self._folder = folder
        #: By the process's name; None where the log was given up.
        self._logs: dict[str, _Log | None] = {}

    @classmethod
    @contextmanager
    def writing_to(cls, folder: Path) -> Iterator[LoggingPrinter]:
        """A printer whose logs are closed at the end."""
        printer = cls(folder)
        try:
            yield printer
        finally:
            for name in printer._logs:
                printer._close(name)

    def write(self, message: Any) -> None:
        """Print and log one message of honcho's."""
        self._print(message)
        text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        try:
            log = self._log_of(message.name)
            if log is not None:
                log.append(f"{message.time:%Y-%m-%d %H:%M:%S} {text.rstrip()}")
        except OSError as error:
            self._close(message.name)
            self._logs[message.name] = None
            notice = f"{message.name}.log is given up, for it cannot be written: {error.strerror}."
            self._print(Message("line", notice, message.time, "system", None))

    def _print(self, message: Message) -> None:
        try:
            super().write(message)
        except OSError as error:
            # Where stdout is a file, its disk may be full too; Python keeps a few lines and tries again with the next.
            if error.errno not in _FULL:
                raise

    def _log_of(self, name: str) -> _Log | None:
        if name not in self._logs:
            self._logs[name] = _Log(self._folder / f"{name}.log")
        return self._logs[name]

    def _close(self, name: str) -> None:
        log = self._logs.get(name)
        if log is not None:
            log.close()


class _Log(RotatingFileHandler):
    """A log of limited size, whose errors are raised rather than printed with a traceback."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=LOG_BYTES, backupCount=OLD_LOGS, encoding="utf-8", errors="backslashreplace")

    def append(self, line: str) -> None:
        """Write one line."""
        self.emit(logging.makeLogRecord({"msg": line}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  # the name is Python's
        """Raise the error that is being handled."""
        raise  # noqa: PLE0704

    def close(self) -> None:
        """Close the file, whatever of it a full disk did not take."""
        try:
            super().close()
        except OSError:
            return  # what was not written was printed
