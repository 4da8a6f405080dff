"""Processes of their own that decode people's images for pages, so that a picture that ends a process ends one of those.

They read and decode as safely as workers do; what is left is a library that crashes, and memory. A process that is gone is
replaced, and the picture that it was asked for last is shown as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from queue import LifoQueue
from typing import Any

from classifier.images import decode
from classifier.predict import Predictor
from core.crash import crash_point
from core.errors import DigitlineError
from core.ledger.gallery import Placed
from core.ledger.results import Result
from core.sandbox import Sandbox, SandboxLost, serve
from core.settings import get_settings
from core.sources import source_at
from core.vocabulary import Digit, Runtime
from digitline.explanation import ExplainedDigit, Explanation, explain_picture
from digitline.pictures import Album, Picture, data_url, shrunk

#: Processes; each decodes one image at a time.
PROCESSES = 2
#: Seconds that a process may take to start, and one picture; decent ones take a hundredth of it.
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
        self._idle: LifoQueue[Sandbox] = LifoQueue()
        self._sandboxes = [Sandbox("digitline.web.darkroom", patience=_PATIENCE) for _ in range(PROCESSES)]
        for sandbox in self._sandboxes:
            self._idle.put(sandbox)

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
        for sandbox in self._sandboxes:
            sandbox.close()

    def _ask(self, question: Mapping[str, Any]) -> Answer:
        sandbox = self._idle.get()
        try:
            return sandbox.ask(question)[0]
        except SandboxLost as error:
            raise NoPicture(f"No picture: looking at it {error}.") from error
        finally:
            self._idle.put(sandbox)


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


if __name__ == "__main__":
    serve(lambda question, _: (_answer(question), b""), address_space=_ADDRESS_SPACE)
