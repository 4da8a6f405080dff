"""The `.keras` file: what may be in one, looked at before Keras does, and the form that leaves no date in it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

from classifier.artifact import PREPROCESSING_VERSION, SUFFIX, Card, Network, network_bytes
from classifier.files import MAX_BYTES
from core.errors import ArtifactError

_CONFIG = "config.json"
_METADATA = "metadata.json"
_WEIGHTS = "model.weights.h5"
#: What a file holds, neither more nor less, and the bytes that each may have.
_MEMBERS = {_METADATA: 1 << 16, _CONFIG: 1 << 20, _WEIGHTS: MAX_BYTES}
_ENCRYPTED = 0x1
#: The earliest date that a zip archive can state, so that the same network makes the same file on any day.
_NO_DATE = (1980, 1, 1, 0, 0, 0)

#: Everything that a configuration may name, by module: nothing here runs code of the file's or reads another file.
_ALLOWED: dict[str | None, frozenset[str]] = {
    "keras": frozenset({"DTypePolicy", "Functional"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.layers": frozenset(
        {
            "Add",
            "AveragePooling2D",
            "BatchNormalization",
            "Concatenate",
            "Conv2D",
            "Dense",
            "Dropout",
            "Flatten",
            "GlobalAveragePooling2D",
            "InputLayer",
            "MaxPooling2D",
            "ReLU",
        }
    ),
    "keras.initializers": frozenset({"GlorotUniform", "HeNormal", "Ones", "Zeros"}),
    None: frozenset({"__keras_tensor__"}),
}
#: Sides, channels and units of a network that reads digits stay far below; a hostile one could ask for all memory.
_LARGEST = 4096
#: Bytes of a weight; networks are saved in single precision.
_WEIGHT = 4
#: Holds the number by which Keras finds an object that occurs twice; Keras takes its address in memory.
_SHARED = "shared_object_id"
_MEND = "Never load it elsewhere either; take the model from where it was made, or train it anew."


def check_folder(folder: Path, card: Card) -> None:
    """Refuse a model folder that cannot be loaded here, without Keras.

    Args:
        folder: the model folder.
        card: its card.

    Raises:
        ArtifactError: it wants another preprocessing, or one of its files is missing, another, or more than a plain
            network.
    """
    check_preprocessing(folder, card)
    for one in card.files:
        content = network_bytes(folder, one)
        if isinstance(one, Network):
            check(content, folder / one.file)


def check_preprocessing(folder: Path, card: Card) -> None:
    """Refuse a model that wants its images prepared in another way.

    Raises:
        ArtifactError: it does.
    """
    if card.preprocessing_version != PREPROCESSING_VERSION:
        raise ArtifactError(
            f"{folder} wants images prepared by version {card.preprocessing_version}, "
            f"not by this one, {PREPROCESSING_VERSION}.",
            mend="Train the model anew with `digitline train`, or use the Digitline it came with.",
        )


def check(content: bytes, path: Path) -> None:
    """Refuse a file that is more than a plain network, without Keras: a configuration can name code to run.

    Args:
        content: the whole file.
        path: what the error calls it.

    Raises:
        ArtifactError: it is not a zip archive, holds anything but a network's three members, or one that is
            compressed or too large; or its configuration names anything but Keras's own plain layers, or asks for
            more weights than the file holds.
    """
    if path.suffix != SUFFIX:
        raise ArtifactError(f"{path} is no {SUFFIX} file, and networks are read from no other kind.", mend=_MEND)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive)
            config = json.loads(archive.read(_CONFIG))
            _check_config(config)
            _check_weights(config, archive.getinfo(_WEIGHTS).file_size)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RecursionError, ValueError) as error:
        raise ArtifactError(f"{path} is refused: {error}.", mend=_MEND) from error


def without_dates(content: bytes) -> bytes:
    """Write a file of Keras's again such that the same network makes the same bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in _MEMBERS}
    metadata = json.loads(members[_METADATA])
    del metadata["date_saved"]
    members[_METADATA] = json.dumps(metadata).encode()
    members[_CONFIG] = json.dumps(_renumbered(json.loads(members[_CONFIG]))).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name, _NO_DATE), member)
    return buffer.getvalue()


def _check_members(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if sorted(names) != sorted(_MEMBERS):
        raise ValueError(f"it holds {', '.join(sorted(names)) or 'nothing'} instead of {', '.join(sorted(_MEMBERS))}")
    for member in archive.infolist():
        # Keras never compresses; so nothing can become larger than it lies there.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"its {member.filename} is compressed")
        if member.flag_bits & _ENCRYPTED:
            raise ValueError(f"its {member.filename} is encrypted")
        if member.file_size > _MEMBERS[member.filename]:
            raise ValueError(f"its {member.filename} is too large")


def _check_config(config: object) -> None:
    if not isinstance(config, dict) or config.get("class_name") != "Functional":
        raise ValueError(f"its {_CONFIG} describes no network")
    for key, value in _values(config):
        if isinstance(value, dict) and "class_name" in value:
            _check_class(value)
        if key == "compile_config" and value:
            raise ValueError(f"its {_CONFIG} holds what only training needs")
        if isinstance(value, int) and abs(value) > _LARGEST and key != _SHARED:
            raise ValueError(f"its {_CONFIG} asks for {key} of {value}")


def _check_class(value: dict[str, Any]) -> None:
    name, module, registered = value["class_name"], value.get("module"), value.get("registered_name")
    allowed = _ALLOWED.get(module, frozenset()) if isinstance(module, str | None) else frozenset()
    if name not in list(allowed) or registered not in (None, name):
        raise ValueError(f"its {_CONFIG} names {module}.{name}, which is no plain layer of Keras's")


def _check_weights(config: object, held: int) -> None:
    """Refuse layers whose weights would take more memory than the file has bytes for them."""
    layers = [value for _, value in _values(config) if isinstance(value, dict) and value.get("class_name") in _COUNTED]
    needed = _WEIGHT * sum(_COUNTED[layer["class_name"]](_Layer(layer)) for layer in layers)
    if needed > held:
        raise ValueError(f"its {_CONFIG} asks for {needed:,} bytes of weights, and it holds {held:,}")


class _Layer:
    """The numbers that say how many weights Keras makes for a layer, out of a configuration that may say anything."""

    def __init__(self, layer: dict[str, Any]) -> None:
        self._name = layer["class_name"]
        config, build = layer.get("config"), layer.get("build_config")
        shape = build.get("input_shape") if isinstance(build, dict) else None
        if not isinstance(config, dict) or not isinstance(shape, list):
            raise self._senseless("shapes")  # Keras always writes them, and makes the weights by them
        self._config, self._shape = config, shape
        # Weights beside the usual ones, and channels that lie elsewhere, are no plain network's.
        if self._config.get("lora_rank") or self._config.get("data_format") not in (None, "channels_last"):
            raise self._senseless("format")

    def channels(self) -> int:
        """What the layer gets for each place of its input; its last axis."""
        return self._whole(self._shape[-1] if self._shape else None, "shapes")

    def one(self, name: str) -> int:
        """A number of the configuration."""
        return self._whole(self._config.get(name), name)

    def area(self, name: str) -> int:
        """The product of the numbers of the configuration that lie under a name."""
        sides = self._config.get(name)
        return prod(self._whole(side, name) for side in (sides if isinstance(sides, list) else [sides] * 2))

    def _whole(self, value: object, name: str) -> int:
        if type(value) is not int or value < 1:
            raise self._senseless(name)
        return value

    def _senseless(self, what: str) -> ValueError:
        return ValueError(f"its {_CONFIG} describes a {self._name} whose {what} make no sense")


#: Layers with weights of their own, and how many.
_COUNTED: dict[str, Callable[[_Layer], int]] = {
    "Conv2D": lambda layer: (
        layer.area("kernel_size") * -(-layer.channels() // layer.one("groups")) * layer.one("filters")
    ),
    "Dense": lambda layer: layer.channels() * layer.one("units"),
    "BatchNormalization": lambda layer: 2 * layer.channels(),
}


def _values(config: object) -> Iterator[tuple[str, object]]:
    """Walk everything in a configuration, each with the key it lies under; without recursion, whatever the depth."""
    waiting: list[tuple[str, object]] = [("", config)]
    while waiting:
        key, value = waiting.pop()
        yield key, value
        if isinstance(value, dict):
            waiting.extend(value.items())
        elif isinstance(value, list):
            waiting.extend((key, one) for one in value)


def _renumbered(config: Any) -> Any:
    """Number shared objects from 0 on, in the order in which they occur first."""
    numbers: dict[object, int] = {}

    def renumber(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: numbers.setdefault(value, len(numbers)) if key == _SHARED else value for key, value in pairs}

    return json.loads(json.dumps(config), object_pairs_hook=renumber)
