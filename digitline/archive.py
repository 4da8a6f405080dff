"""The archive of a backup: one zip file of parts and a manifest with the SHA-256 of each; what it says is not believed.

One file, and not a folder: it is there whole or not at all, travels as one thing and loses no part on the way. Any
zip tool takes a part out, so that the database's own tools can read the ledger without Digitline.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from classifier.artifact import CARD
from core.errors import DigitlineError
from digitline.export import replacing

MANIFEST = "manifest.json"
#: The ledger by kind of database: a whole SQLite file, or what `pg_dump --format=custom` wrote.
LEDGERS = {"sqlite": "ledger.sqlite", "postgresql": "ledger.dump"}
#: Folder of the models, each under the SHA-256 of its card.
MODELS = "models"

_MAX_MANIFEST = 16 << 20
_BLOCK = 1 << 20
_MEND = "Take another backup."
_SHA256 = "^[0-9a-f]{64}$"
#: Every name that a part may have; none leads out of the folder that it is unpacked to.
_PART = rf"^(ledger\.(sqlite|dump)|{MODELS}/[0-9a-f]{{64}}/[A-Za-z0-9-]+\.(keras|tflite|json))$"
#: What zipfile raises over bytes that are no archive, or a damaged, encrypted or foreign one.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a backup."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    #: Hexadecimal.
    sha256: Annotated[str, Field(pattern=_SHA256)]
    #: Unpacked, in bytes.
    size: Annotated[int, Field(ge=0)]


def _whole(parts: Mapping[str, Part]) -> Mapping[str, Part]:
    """Refuse parts that make no backup: another ledger than one, or a model without its card."""
    if len(parts.keys() & set(LEDGERS.values())) != 1:
        raise ValueError("there must be one ledger")
    for name in parts:
        if "/" in name and f"{name.rpartition('/')[0]}/{CARD}" not in parts:
            raise ValueError(f"{name} has no {CARD} beside it")
    return parts


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    #: Version of Digitline that wrote it.
    digitline: str
    #: ISO 8601 in UTC.
    created: str
    #: Of the ledger's schema.
    revision: Annotated[str, Field(min_length=1)]
    #: By name in the archive.
    parts: Annotated[Mapping[Annotated[str, Field(pattern=_PART)], Part], AfterValidator(_whole)]
    #: Models that the ledger knows and whose folders were gone or damaged: why, by the SHA-256 of the card.
    left_out: Mapping[Annotated[str, Field(pattern=_SHA256)], str]
    #: Of the archive itself.
    format: Literal[1] = 1

    @property
    def ledger(self) -> str:
        """Name of the ledger's part."""
        return next(name for name in LEDGERS.values() if name in self.parts)

    @property
    def models(self) -> list[str]:
        """The models that are in the backup, by the SHA-256 of their cards."""
        return sorted({name.split("/")[1] for name in self.parts if "/" in name})


_ADAPTER = TypeAdapter(Manifest)


class Writer:
    """An archive that is being written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._parts: dict[str, Part] = {}

    def add(self, name: str, content: IO[bytes]) -> None:
        """Write one part, as long as there is something to read."""
        digest, size = hashlib.sha256(), 0
        with self._archive.open(_member(name), "w", force_zip64=True) as member:
            while block := content.read(_BLOCK):
                digest.update(block)
                size += len(block)
                member.write(block)
        self._parts[name] = Part(digest.hexdigest(), size)

    def seal(self, revision: str, left_out: Mapping[str, str]) -> Manifest:
        """Write the manifest of what was added."""
        manifest = Manifest(_version(), datetime.now(UTC).isoformat(), revision, self._parts, left_out)
        self._archive.writestr(_member(MANIFEST), json.dumps(asdict(manifest), indent=1) + "\n")
        return manifest


@contextmanager
def writing(output: Path) -> Iterator[Writer]:
    """Write an archive that only its owner may read; it takes its place once it is whole and on the disk.

    Raises:
        DigitlineError: the file cannot be written.
    """
    with replacing(output) as draft:
        draft.touch(0o600)
        with draft.open("wb") as stream:
            with zipfile.ZipFile(stream, "w") as archive:
                yield Writer(archive)
            stream.flush()
            os.fsync(stream.fileno())


class Reader:
    """An archive whose manifest names exactly the parts that it holds."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        """Read the manifest.

        Raises:
            DigitlineError: there is none, it makes no sense, or the archive holds something else.
        """
        self._path = path
        self._archive = archive
        with _named(path):
            self.manifest = self._read_manifest()
            held, named = sorted(archive.namelist()), sorted([MANIFEST, *self.manifest.parts])
            if held != named:
                strays = sorted(set(held) ^ set(named)) or ["one name twice"]
                raise ValueError(f"its manifest and its parts differ: {', '.join(map(repr, strays[:3]))}")

    def unpack(self, folder: Path) -> None:
        """Write every part below a folder, under its name.

        Raises:
            DigitlineError: a part is damaged, or another than the manifest says.
            OSError: it cannot be written.
        """
        for name, part in self.manifest.parts.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as unpacked, _named(self._path), self._archive.open(name) as member:
                if _copy(member, unpacked, part.size) != part.sha256:
                    raise ValueError(f"the SHA-256 of {name} is not that of its manifest")

    def _read_manifest(self) -> Manifest:
        if self._archive.getinfo(MANIFEST).file_size > _MAX_MANIFEST:
            raise ValueError(f"its {MANIFEST} is too large")
        try:
            return _ADAPTER.validate_json(self._archive.read(MANIFEST))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "all of it"
            raise ValueError(f"its {MANIFEST} makes no sense: {place}: {first['msg']}") from error


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Open an archive.

    Raises:
        DigitlineError: it cannot be read, or is none that this version knows.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DigitlineError(f"{path} cannot be read: {error.strerror}.") from error
    with stream:
        with _named(path):
            archive = zipfile.ZipFile(stream)
        with archive:
            yield Reader(path, archive)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of what is wrong with an archive which one it is."""
    try:
        yield
    except KeyError as error:
        raise DigitlineError(f"{path} is no backup of Digitline: it has no {MANIFEST}.", mend=_MEND) from error
    except _DAMAGE as error:
        raise DigitlineError(f"{path} is no backup, or a damaged one: {str(error).rstrip('.')}.", mend=_MEND) from error


def _copy(member: IO[bytes], unpacked: IO[bytes], size: int) -> str:
    """Copy a part of that many bytes; returns its SHA-256. One that unfolds to more is given up."""
    digest, left = hashlib.sha256(), size
    while block := member.read(_BLOCK):
        left -= len(block)
        if left < 0:
            raise ValueError("a part is larger than its manifest says")
        digest.update(block)
        unpacked.write(block)
    return digest.hexdigest()


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, time.gmtime()[:6])
    # pg_dump has compressed what it wrote.
    member.compress_type = zipfile.ZIP_STORED if name == LEDGERS["postgresql"] else zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def _version() -> str:
    try:
        return version("digitline")
    except PackageNotFoundError:
        return "not installed"
