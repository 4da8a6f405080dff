"""A process of its own that looks at images, so that a picture that ends a process ends that one, and is named for it.

A worker looks at images itself, which is quicker. Only where an attempt at a batch has failed, maybe since an image
crashed a library or ate the memory, are the batch's images looked at in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from classifier.preprocess import SIDE
from core.errors import ImageRejected, SandboxError
from core.sandbox import Message, Sandbox, SandboxLost, SandboxNotStarted, serve
from core.vocabulary import Reason
from worker.look import Eye, Lap
from worker.reading import File
from worker.seen import PICTURES_FAULT, Seen, Ways

#: Seconds a sandbox may take to start, and to look at one picture; decent ones take a thousandth of it.
PATIENCE = 60.0
#: Times that an image may end a sandbox before it is taken for the cause.
_CHANCES = 2


class SandboxedEye(Sandbox):
    """Looks at one image after the other in a process of its own; close it."""

    def __init__(self, eye: Eye, sign: Callable[[], None]) -> None:
        """Prepare; the process starts with the first image.

        Args:
            eye: what is to look at images in there.
            sign: called now and then while an image is waited for, so that nobody takes the waiting for dead.
        """
        super().__init__("worker.sandbox", patience=PATIENCE, sign=sign)
        self._eye = {"max_pixels": eye.max_pixels, "split": eye.split}

    def see(self, files: Sequence[File], seen: Seen, lap: Lap) -> None:
        """As `Look.see`, one file after the other."""
        for position, path, data in files:
            try:
                seen.add(position, data, self.look(data, path))
            except PICTURES_FAULT as error:
                seen.refuse(position, path, error)
            lap("preprocess")

    def look(self, data: bytes, path: str) -> Ways:
        """Look at an image as `Eye.look` does.

        Raises:
            ImageRejected: the file or its picture is at fault; `quarantined` where it ended its process again and
                again.
            SandboxError: the process does not start.
        """
        end = ""
        for _ in range(_CHANCES):
            try:
                return _ways(*self.ask({"eye": self._eye, "path": path}, data))
            except SandboxNotStarted as error:
                raise SandboxError(f"The process that is to look at images does not start: that {error}.") from error
            except SandboxLost as error:
                end = str(error)
        raise ImageRejected(Reason.QUARANTINED, f"Looking at it {end}, {_CHANCES} times of {_CHANCES}.")


def _ways(answer: Mapping[str, Any], data: bytes) -> Ways:
    if "reason" in answer:
        raise ImageRejected(Reason(answer["reason"]), answer["message"])
    digits = iter(np.frombuffer(data, np.uint8).reshape(-1, SIDE, SIDE))
    return [[list(islice(digits, count)) for count in piece] for piece in answer["ways"]]


def _answer(task: Mapping[str, Any], data: bytes) -> Message:
    seen = Seen()
    try:
        seen.add(0, data, Eye(**task["eye"]).look(data, task["path"]))
    except PICTURES_FAULT as error:
        seen.refuse(0, task["path"], error)
        return {"reason": seen.refusals[0].reason.value, "message": str(seen.refusals[0])}, b""
    return {"ways": seen.ways[0]}, seen.digits.tobytes()


if __name__ == "__main__":
    serve(_answer)
