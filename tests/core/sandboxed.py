"""What sandboxes of tests run: it does as it is told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from core.sandbox import Message, serve

#: Bytes that the process gets.
ROOM = 1 << 30


def _answer(question: Mapping[str, Any], data: bytes) -> Message:
    if question["do"] == "hang":
        signal.pause()
    if question["do"] == "exit":
        sys.exit(3)
    if question["do"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        bytearray(question.get("take", 0))
    except MemoryError:
        return {"process": os.getpid(), "lacks": "memory"}, b""
    return {"process": os.getpid()}, data[::-1]


if __name__ == "__main__":
    serve(_answer, address_space=ROOM)
