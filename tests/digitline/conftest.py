"""A ledger with jobs, a model folder, and the command line in this process."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import pytest

from classifier.artifact import PREPROCESSING_VERSION, Card, Network, RiskPoint, shipped_model
from classifier.network import build
from classifier.weights import describe, save_model
from core.database import Database
from core.ledger import models
from core.settings import Settings, get_settings
from digitline.cli import main
from digitline.connection import open_line
from digitline.setup import register_folder
from tests.digits import digit_folder


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


#: Runs `digitline ...` in this process.
Digitline = Callable[..., Ended]
#: Builds a model folder whose untrained weights come from a seed.
MakeModel = Callable[[int], Path]


def findings(printed: str) -> dict[str, dict[str, object]]:
    """What `doctor --json` printed, by what was checked."""
    return {finding["what"]: finding for finding in json.loads(printed)}


@pytest.fixture
def home(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A home with a migrated ledger and no Redis, named by the environment as a user does."""
    monkeypatch.setenv("DIGITLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DIGITLINE_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("DIGITLINE_BROKER_URL", f"redis+socket://{tmp_path / 'nowhere.sock'}")
    monkeypatch.chdir(tmp_path)
    line = open_line()
    yield get_settings()
    line.close()


@pytest.fixture
def online_home(home: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A home with a migrated ledger and a Redis."""
    assert home is get_settings()
    monkeypatch.setenv("DIGITLINE_BROKER_URL", redis_url)
    get_settings.cache_clear()
    line = open_line()
    yield get_settings()
    line.close()


@pytest.fixture
def ledger(home: Settings) -> Iterator[Database]:
    """The ledger of the home."""
    database = Database(home.database)
    yield database
    database.close()


@pytest.fixture
def digitline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Digitline:
    """The command line: `digitline("status", "--json").out`."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["digitline", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Builds a model folder whose untrained weights come from a seed."""

    def make(seed: int) -> Path:
        keras.utils.set_random_seed(seed)
        network = build("cnn-s")
        folder = tmp_path_factory.mktemp("models") / f"model-{seed}"
        fast = describe(network, recipe={"seed": seed}, history={})
        save_model(folder, network, [], dataclasses.replace(_CARD, name=folder.name, fast=fast))
        return folder

    return make


@pytest.fixture(scope="session")
def model_folder(make_model: MakeModel) -> Path:
    """A model folder."""
    return make_model(3)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """An evaluation set of class folders."""
    return digit_folder(tmp_path / "labelled", 300)


@pytest.fixture
def shipped(ledger: Database) -> str:
    """The shipped model, in production; its name."""
    model = register_folder(ledger, shipped_model(), get_settings())
    assert model.alias == models.PRODUCTION
    return model.name


@pytest.fixture
def untrained(ledger: Database, make_model: MakeModel) -> str:
    """A model that has learnt nothing; its name."""
    return register_folder(ledger, make_model(4), get_settings()).name


def in_production(ledger: Database) -> str:
    """Name of the model in production."""
    return models.find(ledger, models.PRODUCTION).name


_CARD = Card(
    name="model",
    created="2026-01-01T00:00:00+00:00",
    preprocessing_version=PREPROCESSING_VERSION,
    fast=Network("fast.keras", "0" * 64, "cnn-s", parameters=108_970, megaflops=8.25, recipe={"seed": 3}, history={}),
    temperature=0.1,
    # Sure at the default target error of 0.5 % above a confidence of 0.8.
    risk=(RiskPoint(above=0.0, coverage=1.0, error_bound=0.02), RiskPoint(above=0.8, coverage=0.9, error_bound=0.004)),
    command="none",
    data_sha256={},
    versions={},
    validation={"accuracy": 0.5},
    test={"accuracy": 0.25},
)
