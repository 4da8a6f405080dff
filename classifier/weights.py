"""Networks to model folders and back: the only door through which weights come in."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import keras

from classifier.artifact import WEIGHTS, Card, check_weights, read_card, weights_digest, write_card
from classifier.network import build
from classifier.preprocess import PREPROCESSING_VERSION
from core.errors import ArtifactError


def load_model(folder: Path) -> tuple[keras.Model, Card]:
    """Load a network; it is built by the name of its architecture, so that no code is ever read from a folder.

    Returns:
        The model, from float32 (n, 28, 28, 1) to float32 logits (n, 10), and its card.

    Raises:
        ArtifactError: card or weights are missing, damaged, not each other's, or of another preprocessing.
    """
    card = read_card(folder)
    if card.preprocessing_version != PREPROCESSING_VERSION:
        raise ArtifactError(
            f"{folder} wants images prepared by version {card.preprocessing_version}, "
            f"not by this one, {PREPROCESSING_VERSION}.",
            mend="Train the model anew with `digitline train`, or use the Digitline it came with.",
        )
    check_weights(folder, card)
    model = build(card.architecture)
    try:
        # Keras only warns of layers for which the file has nothing, and leaves them as they were born.
        with warnings.catch_warnings(action="error", category=UserWarning):
            model.load_weights(folder / WEIGHTS)
    except (OSError, KeyError, ValueError, UserWarning) as error:
        raise ArtifactError(
            f"{folder / WEIGHTS} does not hold the weights of {card.architecture}.",
            mend="Train the model anew with `digitline train`.",
        ) from error
    return model, card


def save_weights(folder: Path, model: keras.Model) -> str:
    """Write the weights of a network, without what only training needs.

    Args:
        folder: the model folder, made where it is not there.
        model: a model of `build`, of any dropout.

    Returns:
        SHA-256 of the file, hexadecimal.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plain = build(model.name)
    plain.set_weights(model.get_weights())
    plain.save_weights(folder / WEIGHTS)
    return weights_digest(folder)


def save_model(folder: Path, model: keras.Model, card: Card) -> Card:
    """Write a whole model folder.

    Args:
        folder: the model folder, made where it is not there.
        model: a model of `build`, named as the card's architecture.
        card: the card; its hash is filled in.

    Returns:
        The card as written.
    """
    written = dataclasses.replace(card, weights_sha256=save_weights(folder, model))
    write_card(folder, written)
    return written
