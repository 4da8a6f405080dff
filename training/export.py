"""Export a model's networks for runtimes other than Keras, and measure how alike it scores there.

After training the networks are converted as they are and in whole numbers of eight bits, whose ranges come from digits
that were learned from (Jacob et al. 2018, section 2).
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from classifier import keras_runtime, litert_runtime
from classifier.artifact import Agreement, Card, Exported, Network, exported_file
from classifier.fold import fold
from classifier.judge import judge
from classifier.predict import Cascade, Scores
from classifier.preprocess import to_network_input
from core.errors import ArtifactError
from core.quiet import without_native_chatter
from core.vocabulary import Runtime
from training.dataset import Digits

#: Runtimes that a model is exported to, and the least share of labels that must be Keras's; eight bits are measured and
#: told, and whoever chooses them has the figures in the card.
LEAST_AGREEMENT = {Runtime.LITERT: 0.9999, Runtime.LITERT_INT8: 0.0}

#: Digits that the ranges of numbers of eight bits come from.
_REPRESENTATIVE = 500
_BATCH = 500
#: Share of wrong labels among the sure ones that verdicts are compared at.
_TARGET_ERROR = 0.005


def export(
    folder: Path, models: Sequence[keras.Model], card: Card, *, learned: Digits, measured: Mapping[str, Digits]
) -> Card:
    """Write the exported networks of a model into its folder.

    Args:
        folder: the model folder.
        models: its networks, the fast one first.
        card: its card.
        learned: prepared digits that the networks were trained on.
        measured: prepared digits by part, that no network was trained on.

    Returns:
        The card with exports and agreement, yet to be written.

    Raises:
        ArtifactError: an exported model reads other digits than Keras; nothing was written.
    """
    wanted = {part: _cascade(keras_runtime, models, card)(digits.images) for part, digits in measured.items()}
    contents = {runtime: [_converted(model, runtime, learned) for model in models] for runtime in LEAST_AGREEMENT}
    agreement: dict[Runtime, Mapping[str, Agreement]] = {}
    for runtime, networks in contents.items():
        with without_native_chatter():
            scorer = _cascade(litert_runtime, [litert_runtime.interpreter(one, folder) for one in networks], card)
        agreement[runtime] = {
            part: _agreement(wanted[part], scorer(digits.images), digits, card) for part, digits in measured.items()
        }
        _refuse_disagreement(folder, runtime, agreement[runtime])
    exported = [
        _written(folder, network, {runtime: networks[place] for runtime, networks in contents.items()})
        for place, network in enumerate(card.networks)
    ]
    return dataclasses.replace(card, fast=exported[0], careful=tuple(exported[1:]), agreement=agreement)


def _cascade(module: Any, networks: Sequence[Any], card: Card) -> Cascade:
    """Join loaded networks by their card."""
    fast, *careful = networks
    return Cascade(
        module.ready([fast]),
        module.ready(careful) if careful else None,
        temperature=card.temperature,
        careful_temperature=card.careful_temperature,
        escalate_below=card.escalate_below,
        batch_size=_BATCH,
        shifts=card.shifts,
    )


def _converted(model: keras.Model, runtime: Runtime, learned: Digits) -> bytes:
    """Convert one network; the same weights make the same bytes."""
    with tempfile.TemporaryDirectory(prefix="digitline-") as private, without_native_chatter():
        fold(model).export(private, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(private)
        if runtime is Runtime.LITERT_INT8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: _representative(learned)
        return bytes(converter.convert())


def _representative(learned: Digits) -> Iterator[list[NDArray[np.float32]]]:
    """Give digits one by one, evenly from among all of them."""
    count = min(_REPRESENTATIVE, len(learned))
    for place in np.linspace(0, len(learned) - 1, count).astype(np.int64):
        yield [to_network_input(learned.images[place : place + 1])]


def _agreement(keras_scores: Scores, scores: Scores, digits: Digits, card: Card) -> Agreement:
    verdicts = zip(judge(keras_scores, card, _TARGET_ERROR), judge(scores, card, _TARGET_ERROR), strict=True)
    return Agreement(
        images=len(digits),
        labels=float((scores.labels == keras_scores.labels).mean()),
        verdicts=float(np.mean([one is other for one, other in verdicts])),
        confidence=float(np.abs(scores.confidences - keras_scores.confidences).mean()),
        energy=float(np.abs(scores.energies - keras_scores.energies).mean()),
        accuracy=float((scores.labels == digits.labels).mean()),
    )


def _refuse_disagreement(folder: Path, runtime: Runtime, agreement: Mapping[str, Agreement]) -> None:
    for part, one in agreement.items():
        if one.labels < LEAST_AGREEMENT[runtime]:
            raise ArtifactError(
                f"{folder} is not exported: by {runtime} {one.labels:.3%} of the {part} digits get the label that Keras "
                f"gives them, not {LEAST_AGREEMENT[runtime]:.2%}.",
                mend="Score with Keras, or train the model anew.",
            )


def _written(folder: Path, network: Network, contents: Mapping[Runtime, bytes]) -> Network:
    """Write what a network was exported to; returns what the card says of it."""
    exports = {}
    for runtime, content in contents.items():
        file = exported_file(network.file, runtime)
        (folder / file).write_bytes(content)
        exports[runtime] = Exported(file, hashlib.sha256(content).hexdigest())
    return dataclasses.replace(network, exports=exports)
