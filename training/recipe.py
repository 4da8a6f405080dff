"""Everything that decides how a network, or a model of several networks, is trained; kept as TOML files."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from core.errors import RecipeError
from training.augment import Variation

#: Recipe files that come with Digitline: one for each shipped model.
RECIPES = Path(__file__).parent / "recipes"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
#: Farther, and a centred digit would leave the picture.
Pixels = Annotated[int, Field(ge=-4, le=4)]
#: As it is, and one pixel each way.
CROSS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
#: What NumPy and scikit-learn take for a seed.
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Progress(Protocol):
    """What long-running functions tell about themselves."""

    def __call__(self, done: int, total: int, message: str) -> None:
        """Take note that `done` of `total` steps are over; the message says what the last of them brought."""


def silent(done: int, total: int, message: str) -> None:
    """Take no note."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train one network."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    #: Name in `classifier.network.ARCHITECTURES`.
    architecture: str = "cnn-fast"
    #: Times that every digit is seen, varied anew each time.
    epochs: Count = 30
    #: Digits in one step.
    batch_size: Count = 128
    #: Highest learning rate; it rises to it in a line and falls from it in half a cosine wave.
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    #: Share of the steps in which the learning rate rises.
    warmup: Share = 0.1
    #: Decoupled weight decay (Loshchilov and Hutter 2019).
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    #: Momentum of the moving average of the weights, which is what is kept.
    ema_momentum: Share = 0.99
    #: Share of the target given to the wrong classes (Szegedy et al. 2016).
    label_smoothing: Share = 0.05
    #: Share of features dropped before the last layer.
    dropout: Share = 0.2
    #: Share of the target that a teacher gives, where there is one (Hinton et al. 2015, at temperature 1).
    distillation: Share = 0.0
    #: Epochs after which the variations repeat, so that a teacher is asked once about each; 0: never.
    repeat_after: Annotated[int, Field(ge=0)] = 0
    #: Epochs without a better validation loss after which training ends; 0: never.
    patience: Annotated[int, Field(ge=0)] = 10
    #: What is computed in: bfloat16 keeps the weights in float32 and is quicker where the processor knows it.
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    #: Digits set aside to choose by and to calibrate on.
    validation: Count = 5000
    #: Seed of that choice, the same for all networks of a model.
    split_seed: Seed = 3
    #: Seed of the first weights, the order and the variations.
    seed: Seed = 3
    #: Digits drawn in ways that the data may not have, to learn from beside it; 0: none.
    drawn: Annotated[int, Field(ge=0)] = 0
    #: Pictures that are no digits, to learn from beside the digits; 0: none.
    outliers: Annotated[int, Field(ge=0)] = 0
    #: How far digits are varied.
    variation: Variation = field(default_factory=Variation)

    def __post_init__(self) -> None:
        if self.distillation and not self.repeat_after:
            raise ValueError("distillation needs repeat_after, or the teacher would be asked in every epoch anew")

    def as_dict(self) -> dict[str, object]:
        """The recipe as JSON and TOML take it."""
        fields: dict[str, object] = json.loads(json.dumps(dataclasses.asdict(self)))  # which makes tuples lists
        return fields


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """How to train a model: a fast network, and careful ones for what it is not sure of."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    fast: Recipe = field(default_factory=Recipe)
    #: One recipe for each careful network; none: the fast network is alone.
    careful: tuple[Recipe, ...] = ()
    #: Largest share of the validation digits that may be passed on to the careful networks.
    escalate: Share = 0.02
    #: Pixels down and to the right that an image is moved by, each time that the careful networks look at it.
    shifts: Annotated[tuple[tuple[Pixels, Pixels], ...], Field(min_length=1)] = CROSS
    #: Share of the validation digits that are to pass for digits, where the fast network had outliers to learn from.
    keep: Share = 0.998
    #: Share of them that may be sure: of the rest, which are least like digits, every label is uncertain.
    sure: Share = 0.99

    def __post_init__(self) -> None:
        if any(one in self.careful[:place] for place, one in enumerate(self.careful)):
            raise ValueError("two careful networks have the same recipe and would say the same; give them two seeds")

    @property
    def networks(self) -> tuple[Recipe, ...]:
        """The recipes of all networks, the fast one first."""
        return self.fast, *self.careful


_ADAPTER = TypeAdapter(ModelRecipe)


def read_recipe(reference: str | Path) -> ModelRecipe:
    """Read a recipe file.

    Args:
        reference: path of a TOML file, or the name of a shipped one. Its table `fast` and each of its tables `careful`
            say what a network has of its own; what all have in common stands in the table `all`.

    Raises:
        RecipeError: the file is missing, no TOML, or has a field that does not exist or makes no sense.
    """
    path = Path(reference)
    if not path.exists() and (RECIPES / f"{reference}.toml").exists():
        path = RECIPES / f"{reference}.toml"
    try:
        return _ADAPTER.validate_python(_spelt_out(tomllib.loads(path.read_text(encoding="utf-8"))))
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
        raise RecipeError(f"{path} cannot be read: {error.strerror}.", mend=f"Shipped recipes: {known}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is no TOML: {error}.", mend=f"Take a file of {RECIPES} for a pattern.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise RecipeError(f"{path}: {place}: {first['msg']}.", mend="Mend the field or leave it out.") from error


def _spelt_out(tables: dict[str, Any]) -> dict[str, Any]:
    """Give every network what the table `all` says, unless its own table says otherwise."""
    shared, fast, careful = tables.pop("all", {}), tables.get("fast", {}), tables.get("careful", [])
    if not isinstance(shared, dict):
        return tables | {"all": shared}  # which is refused by name, as is below what is no table
    return tables | {
        "fast": shared | fast if isinstance(fast, dict) else fast,
        "careful": [shared | one if isinstance(one, dict) else one for one in careful]
        if isinstance(careful, list)
        else careful,
    }
