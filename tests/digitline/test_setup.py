"""A new release brings a new model: it takes over from the one shipped before, and from no other."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from pathlib import Path

import pytest

from classifier.artifact import model_sha256, read_card, shipped_model, write_card
from core.database import Database
from core.errors import ArtifactError
from core.ledger import jobs, models, promotions
from core.ledger.promotions import Kind
from core.vocabulary import Model
from digitline.setup import register_folder, register_model
from tests.conftest import MakeSettings
from tests.core.examples import new_job


def earlier(database: Database, folder: Path, settings: MakeSettings) -> Model:
    """A model in production, in a folder of that name."""
    shutil.copytree(shipped_model(), folder)
    write_card(folder, dataclasses.replace(read_card(folder), name=folder.name))
    model = register_folder(database, folder, settings())
    assert model.alias == models.PRODUCTION
    return model


def test_the_shipped_model_is_registered_by_the_hash_of_its_card_and_scores(
    database: Database, settings: MakeSettings
) -> None:
    model = register_model(database, settings())
    assert (model.alias, model.sha256) == ("production", model_sha256(shipped_model()))
    assert register_model(database, settings()) == model
    assert [one.grounds.kind for one in promotions.history(database)] == [Kind.FIRST]


@pytest.mark.parametrize("place", ["here", "in another Python"])
def test_a_shipped_model_that_went_with_its_release_is_succeeded_by_the_new_one(
    database: Database,
    settings: MakeSettings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    installed = tmp_path / "lib" / "python3.10" / "site-packages" / "classifier" / "models"
    if place == "here":
        installed = tmp_path / "classifier" / "models"
        shutil.copytree(shipped_model(), installed / "new")
        monkeypatch.setattr("digitline.setup.shipped_model", lambda: installed / "new")
    old = earlier(database, installed / "old", settings)
    waiting = jobs.create(database, new_job())
    shutil.rmtree(installed / "old")
    with caplog.at_level(logging.WARNING):
        model = register_model(database, settings())
    assert (model.alias, models.get(database, old.id).alias) == ("production", None)
    (said,) = caplog.messages
    assert "old came with an earlier Digitline and is gone" in said
    assert f"the shipped {model.name} scores every job submitted from now on, and 1 that waited" in said
    assert promotions.history(database)[-1].grounds.kind is Kind.SUCCESSOR
    assert jobs.get(database, waiting.id).model == model.name


def test_a_shipped_model_that_is_still_there_stays(database: Database, settings: MakeSettings, tmp_path: Path) -> None:
    old = earlier(database, tmp_path / "site-packages" / "classifier" / "models" / "old", settings)
    assert register_model(database, settings()).alias is None
    assert models.find(database, "production").id == old.id


@pytest.mark.parametrize("place", ["mine", "classifier/models/mine"])
def test_a_users_own_model_is_never_replaced_though_its_folder_is_away(
    database: Database, settings: MakeSettings, tmp_path: Path, place: str
) -> None:
    own = earlier(database, tmp_path / place, settings)
    shutil.rmtree(tmp_path / place)
    assert register_model(database, settings()).alias is None
    assert models.find(database, "production").id == own.id
    assert len(promotions.history(database)) == 1


def test_a_model_of_the_settings_takes_no_place_that_the_shipped_one_succeeds_to(
    database: Database, settings: MakeSettings, tmp_path: Path
) -> None:
    installed = tmp_path / "site-packages" / "classifier" / "models" / "old"
    earlier(database, installed, settings)
    own = shutil.copytree(installed, tmp_path / "own")
    write_card(own, dataclasses.replace(read_card(own), name="own"))
    shutil.rmtree(installed)
    assert register_model(database, settings(model=own)).name == "own"
    assert models.find(database, "production").name == read_card(shipped_model()).name


def test_a_shipped_folder_that_holds_another_card_now_is_as_good_as_gone(
    database: Database, settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages" / "classifier" / "models" / "same"
    old = earlier(database, folder, settings)
    waiting = jobs.create(database, new_job())
    write_card(folder, dataclasses.replace(read_card(folder), name="newer"))
    monkeypatch.setattr("digitline.setup.shipped_model", lambda: folder)
    model = register_model(database, settings())
    assert (model.alias, model.sha256) == ("production", model_sha256(folder))
    assert (models.get(database, old.id).alias, jobs.get(database, waiting.id).model) == (None, "newer")


def test_what_waits_for_a_shipped_model_that_is_gone_is_handed_over_at_every_start(
    database: Database, settings: MakeSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "site-packages" / "classifier" / "models" / "old"
    earlier(database, folder, settings)
    waiting = jobs.create(database, new_job())
    own = models.promote(database, register_folder(database, renamed(folder, tmp_path / "own"), settings()))
    shutil.rmtree(folder)
    with caplog.at_level(logging.WARNING):
        shipped = register_model(database, settings())
    assert models.find(database, "production").id == own.id
    assert jobs.get(database, waiting.id).model == shipped.name
    (said,) = caplog.messages
    assert said.startswith("old came with an earlier Digitline and is gone; of the jobs that waited for it")
    assert said.endswith(f"the shipped {shipped.name} scores 1")
    register_model(database, settings())
    assert len(caplog.messages) == 1


def renamed(folder: Path, copy: Path) -> Path:
    """A copy of a model folder that holds another model, named after it; returns it."""
    shutil.copytree(folder, copy)
    write_card(copy, dataclasses.replace(read_card(copy), name=copy.name))
    return copy


@pytest.mark.parametrize("place", ["inbox", "claimed", "done", "failed"])
def test_a_model_of_the_settings_that_was_dropped_like_an_image_is_refused(
    database: Database, settings: MakeSettings, place: str
) -> None:
    folder = settings().home_folder / place / "model"
    shutil.copytree(shipped_model(), folder)
    with pytest.raises(ArtifactError, match="lies where people drop their images"):
        register_model(database, settings(model=folder))
    assert models.every(database) == []


@pytest.mark.parametrize("name", models.ALIASES)
def test_a_model_that_has_the_name_of_an_alias_is_refused(
    database: Database, settings: MakeSettings, tmp_path: Path, name: str
) -> None:
    folder = renamed(shipped_model(), tmp_path / name)
    with pytest.raises(ArtifactError, match=f"calls its model '{name}'") as refused:
        register_folder(database, folder, settings())
    assert refused.value.mend
    assert models.every(database) == []


def test_a_copy_of_a_known_model_moves_it_only_where_its_folder_holds_it_no_more(
    database: Database, settings: MakeSettings, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    earlier(database, first, settings)
    shutil.copytree(first, second)
    assert register_folder(database, second, settings()).location == str(first)
    (first / "fast.keras").write_bytes(b"broken")
    assert register_folder(database, second, settings()).location == str(second)
    shutil.rmtree(first)
    assert register_folder(database, second, settings()).location == str(second)
