"""Spoil model folders as an attacker would who knows the card's hashes and writes them anew."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from classifier.artifact import CARD, FAST

#: What a network's configuration is as JSON.
Config = dict[str, Any]


def altered(folder: Path, **values: object) -> None:
    """Write other values into the card; those of a mapping go into the mapping that is there."""
    card = json.loads((folder / CARD).read_text())
    for name, value in values.items():
        card[name] = card[name] | value if isinstance(value, dict) else value
    (folder / CARD).write_text(json.dumps(card))


def planted(folder: Path, content: bytes) -> None:
    """Put another fast network into a folder, and its hash into the card."""
    (folder / FAST).write_bytes(content)
    altered(folder, fast={"sha256": hashlib.sha256(content).hexdigest()})


def members(content: bytes) -> dict[str, bytes]:
    """What a `.keras` file holds."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, file in files.items():
            archive.writestr(name, file)
    return buffer.getvalue()


def with_config(content: bytes, change: Callable[[Config], None]) -> bytes:
    """A `.keras` file with another configuration."""
    files = members(content)
    config = json.loads(files["config.json"])
    change(config)
    return packed(files | {"config.json": json.dumps(config).encode()})


def with_layer(layer: Config) -> Callable[[Config], None]:
    """The change that adds a layer in front of all others."""

    def change(config: Config) -> None:
        config["config"]["layers"].insert(1, {"name": "planted", "inbound_nodes": [], "registered_name": None} | layer)

    return change


def first_layer(**values: Any) -> Callable[[Config], None]:
    """The change that gives the first convolution other values."""

    def change(config: Config) -> None:
        config["config"]["layers"][1]["config"] |= values

    return change
