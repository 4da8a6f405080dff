"""Processes of their own that decode people's images for pages, so that a picture that ends a process ends one of those.

They read and decode as safely as workers do; what is left is a library that crashes, and memory. A process that is gone is
replaced, and the picture that it was asked for last is shown as none.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import LifoQueue
from typing import Any

from classifier.images import decode
from classifier.predict import Predictor
from core.crash import crash_point
from core.errors import DigitlineError
from core.ledger.gallery import Placed
from core.ledger.results import Result
from core.settings import get_settings
from core.sources import source_at
from core.vocabulary import Digit, Runtime
from digitline.explanation import ExplainedDigit, Explanation, explain_picture
from digitline.pictures import Album, Picture, data_url, shrunk

#: Processes; each decodes one image at a time.
PROCESSES = 2
#: Seconds that one picture may take, the start of its process included; decent ones take a hundredth of it.
_PATIENCE = 30.0
#: Bytes of address space of a process; what a picture of the most pixels that are allowed takes, and some more.
_ADDRESS_SPACE = 6 * 1024**3

#: Longest side of a step's picture, in pixels.
_LONGEST_SIDE = 320

#: An answer, as JSON has it.
Answer = Mapping[str, Any]


class NoPicture(DigitlineError):
    """The image cannot be shown."""


class Darkroom:
    """Decodes images in child processes, which start when they are first needed; close it."""

    def __init__(self) -> None:
        self._idle: LifoQueue[_Child] = LifoQueue()
        self._children = [_Child() for _ in range(PROCESSES)]
        for child in self._children:
            self._idle.put(child)

    def picture(self, image: Placed) -> Picture:
        """What a page shows of an image: the original, and what the network saw; waits for a process that is free.

        Raises:
            NoPicture: to look at it ends a process, or takes too long.
        """
        result = image.result
        asked = {"path": result.path, "sha256": result.sha256, "string": bool(result.digits)}
        return Picture(**self._ask({"show": asked, "source": image.source}))

    def explanation(self, image: Placed, model: str, *, split: bool) -> Answer:
        """Why a model reads an image as it does, as JSON: `steps`, `digits`, `label`, `confidence`, `verdict`, `words`.

        Args:
            image: which.
            model: folder of the model.
            split: whether a picture of several digits is read as one string.

        Raises:
            NoPicture: its file is gone, or holds nothing that can be decoded, or to look at it ends a process.
        """
        asked = {"path": image.result.path, "model": model, "split": split}
        answer = self._ask({"explain": asked, "source": image.source})
        if "refused" in answer:
            raise NoPicture(answer["refused"])
        return answer

    def close(self) -> None:
        """End every process."""
        for child in self._children:
            child.end()

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        child = self._idle.get()
        try:
            return child.answer(question)
        finally:
            self._idle.put(child)


class _Child:
    """One process, and the line to it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        line = self._started()
        try:
            line.send_bytes(json.dumps(question).encode())
            if line.poll(_PATIENCE):
                answer: dict[str, Any] = json.loads(line.recv_bytes())
                return answer
            how = f"takes more than {_PATIENCE:g} s"
        except (EOFError, OSError):
            how = "ends the process that does it"
        self.end()
        raise NoPicture(f"No picture: to look at it {how}.")

    def end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._line = None

    def _started(self) -> Connection:
        if self._line is not None:
            return self._line
        self._line, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            # One thread each: what a page shows must not keep the workers waiting.
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            command = [sys.executable, "-P", "-m", "digitline.web.darkroom", str(number)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[number], env=environment)
        return self._line


def _serve(line: Connection) -> None:
    """Be the process: answer until the page hangs up."""
    while True:
        question = json.loads(line.recv_bytes())
        line.send_bytes(json.dumps(_answer(question)).encode())


def _answer(question: Mapping[str, Any]) -> Answer:
    try:
        album = Album(source_at(question["source"]), get_settings())
        if "show" in question:
            return _shown(album, **question["show"])
        return _explained(album, **question["explain"])
    except (DigitlineError, OSError) as error:
        return {"note": f"No picture: {error}"} if "show" in question else {"refused": str(error)}


def _shown(album: Album, path: str, sha256: str | None, *, string: bool) -> Answer:
    crash_point(f"darkroom.{path}")
    # Whether there are digits is all that is asked of them.
    digits = (Digit(0, 0.0),) if string else ()
    picture = album.picture(Result(path, "", sha256=sha256, digits=digits))
    return {"original": picture.original, "prepared": picture.prepared, "note": picture.note}


def _explained(album: Album, path: str, model: str, *, split: bool) -> Answer:
    settings = get_settings()
    data = album.read(path)
    picture = decode(data, max_pixels=settings.max_pixels)
    return _as_json(explain_picture(path, data, picture, lambda: _predictor(Path(model)), split=split))


@cache
def _predictor(folder: Path) -> Predictor:
    # LiteRT reads the same labels as Keras, and is there at once, in a small process.
    return Predictor(folder, batch_size=8, runtime=Runtime.LITERT)


def _as_json(explanation: Explanation) -> Answer:
    reading, verdict = explanation.reading, explanation.verdict
    return {
        "steps": [[name, data_url(shrunk(image, _LONGEST_SIDE))] for name, image in explanation.steps],
        "digits": [_digit(digit) for digit in explanation.digits],
        "label": None if reading is None else reading.label,
        "confidence": None if reading is None else reading.confidence,
        "verdict": None if verdict is None else verdict.value,
        "words": explanation.words,
    }


def _digit(digit: ExplainedDigit) -> Answer:
    return {
        "prepared": data_url(digit.prepared),
        "label": digit.label,
        "confidence": digit.confidence,
        "verdict": digit.verdict.value,
        "probabilities": digit.probabilities,
        "energy": digit.energy,
    }


def _be_modest() -> None:
    """Be the first that the kernel ends where memory runs out, and get no more than so much of it."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("1000")
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))


if __name__ == "__main__":
    # What stops the page must not look like the deed of an image.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    _be_modest()
    with suppress(EOFError, ConnectionError):  # the page hangs up, or is gone
        _serve(Connection(int(sys.argv[1])))
