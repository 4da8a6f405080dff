"""Networks to model folders and back: the only door through which weights come in."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
from keras import layers

from classifier import keras_file
from classifier.artifact import FAST, Card, Network, network_bytes, network_file, read_card, write_card
from classifier.network import build, megaflops
from classifier.preprocess import SIDE
from core.errors import ArtifactError
from core.vocabulary import DIGITS

#: In the place of a hash until the file is written.
_NOT_WRITTEN = "0" * 64


def load_networks(folder: Path, *, sha256: str | None = None) -> tuple[list[keras.Model], Card]:
    """Load the networks of a model folder, the fast one first.

    Every file has the SHA-256 of the card, and is looked into, before Keras sees it.

    Args:
        folder: the model folder.
        sha256: `model_sha256` that the folder must have; None: any.

    Returns:
        The models, from float32 (n, 28, 28, 1) to float32 logits (n, 10), and their card.

    Raises:
        ArtifactError: card or networks are missing, damaged, hostile, not each other's, or of another preprocessing.
    """
    card = read_card(folder, sha256=sha256)
    keras_file.check_preprocessing(folder, card)
    contents = [network_bytes(folder, network) for network in card.networks]
    return [
        _load(content, folder / network.file) for content, network in zip(contents, card.networks, strict=True)
    ], card


def describe(model: keras.Model, *, recipe: Mapping[str, object], history: Mapping[str, Sequence[float]]) -> Network:
    """Say what a card says of a network; `save_model` fills in its file.

    Args:
        model: a model of `build`, of any dropout and precision.
        recipe: the whole recipe, with its seed.
        history: values by epoch.
    """
    return Network(
        file=FAST,
        sha256=_NOT_WRITTEN,
        architecture=model.name,
        parameters=model.count_params(),
        megaflops=megaflops(model),
        recipe=dict(recipe),
        history={name: tuple(values) for name, values in history.items()},
    )


def save_network(path: Path, model: keras.Model) -> str:
    """Write one network, without what only training needs; the same weights make the same bytes.

    Args:
        path: ends in `.keras`; its folder is made where it is not there.
        model: a model of `build`, of any dropout and precision.

    Returns:
        SHA-256 of the file, hexadecimal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="digitline-") as private:
        draft = Path(private) / path.name
        keras.saving.save_model(_plain(model), draft)
        content = keras_file.without_dates(draft.read_bytes())
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def save_model(folder: Path, fast: keras.Model, careful: Sequence[keras.Model], card: Card) -> Card:
    """Write a whole model folder.

    Args:
        folder: the model folder, made where it is not there.
        fast: a model of `build`, which `card.fast` describes.
        careful: the models that `card.careful` describes, in its order.
        card: the card; files and hashes of its networks are filled in, and exports, which are yet to be made, left out.

    Returns:
        The card as written.

    Raises:
        ValueError: the card describes other networks.
    """
    models = [fast, *careful]
    if [model.name for model in models] != [network.architecture for network in card.networks]:
        raise ValueError(f"The card does not describe {', '.join(model.name for model in models)}.")
    files = [network_file(place) for place in range(len(models))]
    written = [
        dataclasses.replace(network, file=file, sha256=save_network(folder / file, model), exports={})
        for network, file, model in zip(card.networks, files, models, strict=True)
    ]
    card = dataclasses.replace(card, fast=written[0], careful=tuple(written[1:]), agreement={})
    write_card(folder, card)
    return card


def _load(content: bytes, path: Path) -> keras.Model:
    """Load one network from bytes that were checked; from a copy, so that no other file can take their place."""
    keras_file.check(content, path)
    with tempfile.TemporaryDirectory(prefix="digitline-") as private:
        copy = Path(private) / path.name
        copy.write_bytes(content)
        try:
            # Keras only warns of layers for which the file has nothing, and leaves them as they were born.
            with warnings.catch_warnings(action="error", category=UserWarning):
                model = keras.saving.load_model(copy, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever it stumbles over.
            raise _foreign(path) from error
    signature = (model.input_shape, model.output_shape, model.output.dtype)
    if signature != ((None, SIDE, SIDE, 1), (None, DIGITS), "float32"):
        raise _foreign(path)
    return model


def _foreign(path: Path) -> ArtifactError:
    return ArtifactError(
        f"{path} does not hold a network that reads digits.", mend="Train the model anew with `digitline train`."
    )


def _plain(model: keras.Model) -> keras.Model:
    """Build a network anew in single precision, without dropout, its layers named alike whatever was built before."""
    whole = build(model.name)
    whole.set_weights(model.get_weights())
    names: dict[str, str] = {}
    counted: Counter[str] = Counter()
    for layer in whole.layers:
        base = re.sub(r"_\d+$", "", layer.name)
        names[layer.name] = f"{base}_{counted[base]}" if counted[base] else base
        counted[base] += 1

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32", "name": names[layer.name]})

    def call(layer: keras.layers.Layer, inputs: object, *rest: object, **options: object) -> object:
        return inputs if isinstance(layer, layers.Dropout) else layer(inputs, *rest, **options)

    plain = keras.models.clone_model(whole, clone_function=clone, call_function=call)
    plain.set_weights(whole.get_weights())
    return plain
