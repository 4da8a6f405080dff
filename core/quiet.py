"""Keeps what native libraries say while they are imported from a terminal that asked for something else."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

#: Lines that TensorFlow's libraries log before their log level can be set: information, warnings and their preamble,
#: and the error that there is no GPU; what LiteRT says when it starts, and the converter to it.
_CHATTER = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:|WARNING: All log messages before absl|To enable the following|E\d{4} .* cuInit: "
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate|fully_quantize: "
)


@contextmanager
def without_native_chatter() -> Iterator[None]:
    """Hold stderr back, and let through afterwards all that is no chatter."""
    # Read when TensorFlow is first used. What goes wrong there becomes an exception, whatever the log says.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.stderr is None:
        yield
        return
    with tempfile.TemporaryFile() as caught:
        try:
            with _stderr_into(caught.fileno()):
                yield
        finally:
            caught.seek(0)
            lines = (line for line in caught if not _CHATTER.match(line))
            sys.stderr.writelines(line.decode("utf-8", "backslashreplace") for line in lines)


@contextmanager
def _stderr_into(file: int) -> Iterator[None]:
    """Point the process's stderr, native code's too, at another file."""
    sys.stderr.flush()
    terminal = os.dup(2)
    os.dup2(file, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
