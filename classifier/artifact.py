"""The model folder, `fast.keras` and what else the card names beside `card.json`; light enough to need no Keras."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from classifier.files import checked_bytes, named, read_bytes
from core.errors import ArtifactError
from core.vocabulary import DIGITS, Runtime

#: Which `classifier.preprocess` a model was trained on; stored in its card, and raised with every change of a pixel.
PREPROCESSING_VERSION = 3
CARD = "card.json"
#: File of the fast network, which every model folder holds.
FAST = "fast.keras"
#: The only kind of file that a network is read from: other formats may hold code.
SUFFIX = ".keras"
#: The only kind of file that an exported network is read from.
EXPORT_SUFFIX = ".tflite"
#: Name of the folder under `classifier/models/` that scores where no other model is named.
SHIPPED = "mnist-cascade-1"

_MAX_CARD = 16 << 20
_CLASSES = tuple(map(str, range(DIGITS)))
#: No label is sure that is less likely than all the others together, whatever was seen on the validation images.
_NEVER_SURE = 0.5

_MEND = "Take the folder from a backup, or train the model anew with `digitline train`."


_Share = Annotated[float, Field(ge=0, le=1)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Temperature = Annotated[float, Field(gt=0)]
#: Farther, and a centred digit would leave the picture.
_Pixels = Annotated[int, Field(ge=-4, le=4)]


@dataclass(frozen=True, slots=True)
class Exported:
    """A network again, in the form that a runtime other than Keras takes."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    #: Its name in the folder, ending in `.tflite`.
    file: Annotated[str, AfterValidator(named(EXPORT_SUFFIX))]
    #: SHA-256 of the file, hexadecimal.
    sha256: _Sha256


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike a model scores by another runtime and by Keras, on digits that no network was trained on."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    #: Number of digits.
    images: int
    #: Share of them that get the same label.
    labels: _Share
    #: Share of them that get the same verdict, at a target error of 0.5 %.
    verdicts: _Share
    #: Mean distance between the two confidences.
    confidence: Annotated[float, Field(ge=0)]
    #: Mean distance between the two energies.
    energy: Annotated[float, Field(ge=0)]
    #: Share of them that the other runtime reads right.
    accuracy: _Share


@dataclass(frozen=True, slots=True)
class Network:
    """One network of a model: its file, its size and how it was trained."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    #: Its name in the folder, ending in `.keras`.
    file: Annotated[str, AfterValidator(named(SUFFIX))]
    #: SHA-256 of the file, hexadecimal.
    sha256: _Sha256
    #: Name in `classifier.network.ARCHITECTURES`.
    architecture: str
    #: Number of weights.
    parameters: int
    #: Work for one image, in millions of floating-point operations; a multiplication with its addition is two.
    megaflops: float
    #: The whole recipe, with its seed.
    recipe: Mapping[str, object]
    #: Values by epoch: loss, accuracy, validation_loss, validation_accuracy, seconds.
    history: Mapping[str, tuple[float, ...]]
    #: What other runtimes read instead of the file.
    exports: Mapping[Runtime, Exported] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """What was seen of the validation images whose confidence lies above a value."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    above: _Share
    #: Their share of all validation images.
    coverage: _Share
    #: Upper bound of the share of wrong labels among them; those of all points hold together 19 times in 20.
    error_bound: _Share


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a model: what it is, where it comes from and how good it is."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1)]
    #: When training ended, ISO 8601 in UTC.
    created: str
    #: `PREPROCESSING_VERSION` that the digits were prepared with.
    preprocessing_version: int
    #: The network that sees every image.
    fast: Network
    #: What the fast network's logits are divided by, so that a confidence of 0.9 is right nine times in ten
    #: (Guo et al. 2017).
    temperature: _Temperature
    #: Ascending; what a target error becomes a confidence by.
    risk: tuple[RiskPoint, ...]
    #: Command line that makes the model again.
    command: str
    #: SHA-256 of the arrays that it was trained and measured on, by part.
    data_sha256: Mapping[str, str]
    #: Versions of digitline, Keras, TensorFlow, NumPy and OpenCV.
    versions: Mapping[str, str]
    #: Evaluation on the validation part, with its confusion matrix.
    validation: Mapping[str, object]
    #: Evaluation on the test digits, with its confusion matrix; nothing was chosen by it.
    test: Mapping[str, object]
    #: SHA-256 of the files of corrected images that it learned from, hexadecimal: they measure nothing any more.
    corrections: tuple[_Sha256, ...] = ()
    #: The networks that see only what the fast one is not sure of.
    careful: tuple[Network, ...] = ()
    #: What the mean of the careful networks' logits is divided by.
    careful_temperature: _Temperature = 1.0
    #: Pixels down and to the right that an image is moved by, each time that the careful networks look at it.
    shifts: Annotated[tuple[tuple[_Pixels, _Pixels], ...], Field(min_length=1)] = ((0, 0),)
    #: Confidence of the fast network under which the careful ones are asked; 0: never.
    escalate_below: _Share = 0.0
    #: Energy above which an image is no digit (`Scores.energies`); None: the model cannot tell.
    energy_limit: float | None = None
    #: Energy above which an image is uncertain at best; None: no energy makes it so.
    energy_doubt: float | None = None
    #: How alike other runtimes score: by runtime, then by part, `validation` and `test`.
    agreement: Mapping[Runtime, Mapping[str, Agreement]] = field(default_factory=dict)
    #: What the places of the output stand for; everything that reads scores takes it for granted.
    classes: tuple[str, ...] = _CLASSES

    def __post_init__(self) -> None:
        if self.classes != _CLASSES:
            raise ValueError(f"classes are {', '.join(self.classes)} instead of {', '.join(_CLASSES)}, in this order")
        if self.escalate_below and not self.careful:
            raise ValueError("escalate_below asks for careful networks, and there is none")
        if len({network.file for network in self.networks}) < len(self.networks):
            raise ValueError("two networks have one file")
        if any(after.above <= before.above for before, after in pairwise(self.risk)):
            raise ValueError("the risk points do not ascend")

    @property
    def networks(self) -> tuple[Network, ...]:
        """All networks, the fast one first."""
        return self.fast, *self.careful

    @property
    def files(self) -> tuple[Network | Exported, ...]:
        """Every file of the folder but the card's: the networks, and what they were exported to."""
        return *self.networks, *(exported for network in self.networks for exported in network.exports.values())

    @property
    def parameters(self) -> int:
        """Number of weights of all networks together."""
        return sum(network.parameters for network in self.networks)

    @property
    def megaflops(self) -> float:
        """Work for an image that the fast network answers alone, in millions of floating-point operations."""
        return self.fast.megaflops

    def confident_above(self, target_error: float) -> float:
        """Find the confidence above which labels are sure enough to be wrong no oftener than wanted.

        Args:
            target_error: share of wrong labels among the sure ones that is still borne, 0 to 1.

        Returns:
            From 0.5 to 1; a label is uncertain whose confidence is not above it. 1 where the validation images
            promise the target nowhere: then every label is uncertain.
        """
        at_floor = [point for point in self.risk if point.above <= _NEVER_SURE][-1:]
        higher = [point for point in self.risk if point.above > _NEVER_SURE]
        for point in (*at_floor, *higher):
            if point.error_bound <= target_error:
                return max(point.above, _NEVER_SURE)
        return 1.0

    def as_dict(self) -> dict[str, object]:
        """The card as JSON takes it."""
        return asdict(self)


_ADAPTER = TypeAdapter(Card)


def network_file(place: int) -> str:
    """Name of a network's file: of the fast one, place 0, and of the careful ones after it."""
    return f"careful-{place}{SUFFIX}" if place else FAST


def exported_file(file: str, runtime: Runtime) -> str:
    """Name of what a network is exported to, by the name of its own file."""
    return f"{file.removesuffix(SUFFIX)}-{runtime}{EXPORT_SUFFIX}"


def shipped_model() -> Path:
    """The folder of the model that comes with Digitline."""
    return Path(__file__).parent / "models" / SHIPPED


def read_card(folder: Path, *, sha256: str | None = None) -> Card:
    """Read the card of a model folder; the networks are not looked at.

    Args:
        folder: the model folder.
        sha256: `model_sha256` that the folder must have; None: any.

    Raises:
        ArtifactError: the card is missing, damaged or not the one wanted.
    """
    path = folder / CARD
    content = _card_bytes(folder)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(f"{folder} holds another model: the SHA-256 of its {CARD} differs.", mend=_MEND)
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "card"
        why = first["msg"].removeprefix("Value error, ")
        raise ArtifactError(f"{path} is damaged: {place}: {why}.", mend=_MEND) from error


def write_card(folder: Path, card: Card) -> None:
    """Write the card of a model folder, replacing another in one step."""
    path = folder / CARD
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(card.as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def model_sha256(folder: Path) -> str:
    """Compute the identity of a model: the SHA-256 of its card, which holds those of its networks; hexadecimal.

    Raises:
        ArtifactError: there is no card.
    """
    return hashlib.sha256(_card_bytes(folder)).hexdigest()


def check_files(folder: Path, card: Card) -> None:
    """Refuse a folder whose files are not those of the card, before anything parses them.

    Raises:
        ArtifactError: a file is missing or another.
    """
    for one in card.files:
        network_bytes(folder, one)


def network_bytes(folder: Path, network: Network | Exported) -> bytes:
    """Read the file of a network, and refuse it before anything parses it where it is not that of the card.

    Raises:
        ArtifactError: the file is missing, far too large, or its SHA-256 is another.
    """
    return checked_bytes(folder / network.file, network.sha256, stated_in=CARD, mend=_MEND)


def _card_bytes(folder: Path) -> bytes:
    return read_bytes(folder / CARD, _MAX_CARD, mend=f"Name a folder that holds {CARD} and the networks it names.")
