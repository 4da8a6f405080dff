"""Networks that LiteRT runs: exported from Keras's, in a process that needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from classifier.artifact import Card, network_bytes, read_card
from classifier.keras_file import check_preprocessing
from classifier.preprocess import SIDE
from core.errors import ArtifactError
from core.vocabulary import DIGITS, Runtime


class LiteRTNetworks:
    """One network, or several whose logits are averaged, as `classifier.predict.Networks`."""

    #: The graph is in the file.
    traces = 1

    def __init__(self, interpreters: Sequence[Interpreter]) -> None:
        """Take networks.

        Args:
            interpreters: from float32 (n, 28, 28, 1) to logits (n, 10); at least one.
        """
        self._interpreters = interpreters
        #: Images for which they are laid out.
        self._size = 0

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute logits.

        Args:
            images: float32, (n, 28, 28, 1), 0 (paper) to 1 (ink).

        Returns:
            float32, (n, 10).
        """
        if len(images) != self._size:
            self._lay_out(len(images))
        total = np.zeros((self._size, DIGITS), np.float32)
        for interpreter in self._interpreters:
            interpreter.set_tensor(_place(interpreter.get_input_details()), images)
            interpreter.invoke()
            total += interpreter.get_tensor(_place(interpreter.get_output_details()))
        return total / np.float32(len(self._interpreters))

    def _lay_out(self, size: int) -> None:
        """Lay the networks out for a number of images; once they have run, it takes less than a tenth of a millisecond."""
        for interpreter in self._interpreters:
            interpreter.resize_tensor_input(_place(interpreter.get_input_details()), (size, SIDE, SIDE, 1))
            interpreter.allocate_tensors()
        self._size = size


def load(folder: Path, runtime: Runtime, sha256: str | None) -> tuple[list[Interpreter], Card]:
    """Load the exported networks of a model folder, the fast one first.

    Every file has the SHA-256 of the card before LiteRT sees it.

    Args:
        folder: the model folder.
        runtime: `litert` or `litert-int8`.
        sha256: `model_sha256` that the folder must have; None: any.

    Raises:
        ArtifactError: the folder is damaged, foreign or of another version, or not the model wanted, or was not
            exported to the runtime.
    """
    card = read_card(folder, sha256=sha256)
    check_preprocessing(folder, card)
    if any(runtime not in network.exports for network in card.networks):
        raise ArtifactError(
            f"{folder} was not exported to the runtime {runtime}.",
            mend=f"Export it with `digitline models export {folder} NEW`, and add and promote what that writes; "
            "or set DIGITLINE_RUNTIME=keras.",
        )
    exported = [network.exports[runtime] for network in card.networks]
    contents = [network_bytes(folder, one) for one in exported]
    return [interpreter(content, folder / one.file) for content, one in zip(contents, exported, strict=True)], card


def interpreter(content: bytes, path: Path) -> Interpreter:
    """Load one network from bytes.

    Args:
        content: the whole file; LiteRT runs it, so it comes from somebody who may decide what scores.
        path: what the error calls it.

    Raises:
        ArtifactError: it holds no network that reads digits.
    """
    try:
        found = Interpreter(model_content=content, num_threads=1)
    except (ValueError, RuntimeError) as error:
        raise _foreign(path) from error
    signature = [
        (details["shape_signature"].tolist(), details["dtype"])
        for details in (*found.get_input_details(), *found.get_output_details())
    ]
    if signature != [([-1, SIDE, SIDE, 1], np.float32), ([-1, DIGITS], np.float32)]:
        raise _foreign(path)
    return found


def ready(interpreters: Sequence[Interpreter]) -> LiteRTNetworks:
    """Make networks ready; as `LiteRTNetworks`."""
    return LiteRTNetworks(interpreters)


def bind_to_one_thread() -> None:
    """Nothing to bind: every interpreter here has one thread."""


def _place(details: Sequence[dict[str, int]]) -> int:
    """Number of the only tensor that goes in, or that comes out."""
    (only,) = details
    return only["index"]


def _foreign(path: Path) -> ArtifactError:
    return ArtifactError(
        f"{path} does not hold a network that reads digits.",
        mend="Export the model anew with `digitline models export`.",
    )
