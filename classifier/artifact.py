"""The model folder, `model.weights.h5` beside `card.json`, and its card; light enough for processes without Keras."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from core.errors import ArtifactError
from core.vocabulary import DIGITS

CARD = "card.json"
WEIGHTS = "model.weights.h5"
#: Name of the folder under `classifier/models/` that scores where no other model is named.
SHIPPED = "mnist-cnn-1"

_MEND = "Take the folder from a backup, or train the model anew with `digitline train`."


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a model: what it is, where it comes from and how good it is."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(min_length=1)]
    #: Name in `classifier.network.ARCHITECTURES`; a folder holds no code.
    architecture: str
    #: When training ended, ISO 8601 in UTC.
    created: str
    #: `classifier.preprocess.PREPROCESSING_VERSION` that the digits were prepared with.
    preprocessing_version: int
    #: SHA-256 of the weights file, hexadecimal.
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    #: Number of weights.
    parameters: int
    #: Work for one image, in millions of floating-point operations; a multiplication with its addition is two.
    megaflops: float
    #: What logits are divided by, so that a confidence of 0.9 is right nine times in ten (Guo et al. 2017).
    temperature: Annotated[float, Field(gt=0)]
    seed: int
    #: Command line that makes the model again.
    command: str
    #: SHA-256 of the arrays that it was trained and measured on, by part.
    data_sha256: Mapping[str, str]
    #: Versions of digitline, Keras, TensorFlow, NumPy and OpenCV.
    versions: Mapping[str, str]
    #: The whole recipe.
    recipe: Mapping[str, object]
    #: Evaluation on the validation part, with its confusion matrix.
    validation: Mapping[str, object]
    #: Evaluation on the test digits, with its confusion matrix; nothing was chosen by it.
    test: Mapping[str, object]
    #: Values by epoch: loss, accuracy, validation_loss, validation_accuracy, seconds.
    history: Mapping[str, tuple[float, ...]]
    #: What the places of the output stand for.
    classes: tuple[str, ...] = field(default_factory=lambda: tuple(map(str, range(DIGITS))))

    def as_dict(self) -> dict[str, object]:
        """The card as JSON takes it."""
        return asdict(self)


_ADAPTER = TypeAdapter(Card)


def shipped_model() -> Path:
    """The folder of the model that comes with Digitline."""
    return Path(__file__).parent / "models" / SHIPPED


def read_card(folder: Path) -> Card:
    """Read the card of a model folder; the weights are not looked at.

    Raises:
        ArtifactError: the card is missing or damaged.
    """
    path = folder / CARD
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        mend = f"Name a folder that holds {CARD} and {WEIGHTS}."
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.", mend=mend) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "JSON"
        raise ArtifactError(f"{path} is damaged: {place}: {first['msg']}.", mend=_MEND) from error


def write_card(folder: Path, card: Card) -> None:
    """Write the card of a model folder, replacing another in one step."""
    path = folder / CARD
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(card.as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def weights_digest(folder: Path) -> str:
    """Compute the SHA-256 of the weights file, hexadecimal.

    Raises:
        ArtifactError: there is no such file.
    """
    path = folder / WEIGHTS
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.", mend=_MEND) from error


def check_weights(folder: Path, card: Card) -> None:
    """Refuse weights that are not those of the card, before anything parses them.

    Raises:
        ArtifactError: the weights file is missing or another.
    """
    if weights_digest(folder) != card.weights_sha256:
        raise ArtifactError(f"{folder / WEIGHTS} is not the file of {CARD}: its SHA-256 differs.", mend=_MEND)
