"""What `make deploy-test` needs and what it stands in for, as far as no engine is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.deploy.compose import services
from tests.deploy.engine import __main__ as command
from tests.deploy.engine import bases, needs


def test_every_image_of_a_registry_but_grafanas_has_a_stand_in() -> None:
    named = {service["image"] for service in services().values() if "build" not in service}
    assert named - set(bases.wanted(monitoring=True)) == {services()["grafana"]["image"]}
    assert {bases.recipe(name).name for name in bases.wanted(monitoring=True)} == {
        path.name for path in bases.RECIPES.glob("*.Dockerfile")
    }


def test_a_line_without_monitoring_needs_no_image_of_it() -> None:
    assert services()["prometheus"]["image"] not in bases.wanted()
    assert bases.wanted()[0].startswith("python:")


def test_no_recipe_names_an_address() -> None:
    for path in (*bases.RECIPES.iterdir(), *Path(bases.__file__).parent.glob("*.py")):
        assert "://" not in path.read_text().replace("unix://", "").replace("postgresql://digitline:{", ""), path


def test_a_stand_in_gets_this_machines_index_and_none_of_its_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///srv/wheels https://index.invalid/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/srv/wheels")
    settings = bases.pip_settings()
    assert "extra-index-url = https://index.invalid/simple" in settings
    assert not [line for line in settings if "/srv/wheels" in line]


def test_whoever_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(needs.Missing, match="sudo make deploy-test"):
        needs.check()


def test_a_machine_without_docker_is_told_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(needs, "search_path", lambda: "/nonexistent")
    with pytest.raises(needs.Missing, match=r"apt-get install .*debootstrap .*docker\.io"):
        needs.check()


def test_every_step_has_a_name_of_its_own_and_says_what_it_does() -> None:
    assert len({step.__name__ for step in command.STEPS}) == len(command.STEPS)
    assert all(step.__doc__ for step in command.STEPS)
