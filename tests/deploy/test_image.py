"""What deploy/Dockerfile promises, read from the file; no Docker is needed."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from digitline import flower, samples
from tests.deploy.compose import ROOT, services

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _all(word: str) -> list[str]:
    return [line.removeprefix(word).strip() for line in INSTRUCTIONS if line.startswith(f"{word} ")]


def _copied() -> dict[str, str]:
    """Sources in the repository, and where they go."""
    copies = (line.split() for line in _all("COPY") if not line.startswith("--from"))
    return {source: words[-1] for words in copies for source in words[:-1]}


def test_everything_that_is_copied_is_there_and_reaches_the_builder() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(_copied()) == allowed
    assert all((ROOT / source).exists() for source in allowed)


def test_every_package_is_in_the_image() -> None:
    packages = {package.split(".")[0] for package in PROJECT["tool"]["setuptools"]["packages"]}
    assert packages <= set(_copied())


def test_what_is_found_beside_the_source_is_in_the_image() -> None:
    for path in (flower.CONFIGURATION, samples.FOLDER, ROOT / "deploy" / "healthcheck.py"):
        source = str(path.relative_to(ROOT))
        assert Path(_copied()[source]).name in {path.name, path.parent.name}


def test_requirements_are_installed_by_hash_and_everything_is_compiled() -> None:
    (install,) = (line for line in _all("RUN") if "pip" in line and "install --no-cache-dir" in line)
    assert "--require-hashes" in install
    compiled = {line.split()[-1] for line in _all("RUN") if "compileall" in line}
    assert compiled == {"/opt/venv/lib", "/app"}


def test_a_new_version_of_the_source_leaves_the_layer_of_the_requirements_as_it_is() -> None:
    """It has two gigabytes; whatever it needs stands before the first line of our own source."""
    made = next(at for at, line in enumerate(INSTRUCTIONS) if "-m venv" in line)
    before = [line.split()[1] for line in INSTRUCTIONS[:made] if line.startswith("COPY ")]
    assert before == ["requirements.txt"]
    assert not [line for line in INSTRUCTIONS[made + 1 :] if line.startswith("RUN ") and "/opt/venv/lib" in line]
    last_stage = INSTRUCTIONS[max(at for at, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]
    copied = [line.split()[-1] for line in last_stage if line.startswith("COPY ")]
    assert copied == ["/opt/venv", "/app"]


def test_the_image_has_no_pip_and_nothing_that_only_builders_and_testers_need() -> None:
    (install,) = (line for line in _all("RUN") if "-m venv" in line)
    assert "-m venv --without-pip" in install
    assert "rm -rf tensorflow/include" in install
    assert "-name tests" in install
    assert "strip --strip-unneeded" in install


def test_the_process_is_no_root_and_gets_its_signals_itself() -> None:
    last_stage = INSTRUCTIONS[max(at for at, line in enumerate(INSTRUCTIONS) if line.startswith("FROM ")) :]
    users = [line.split()[1] for line in last_stage if line.startswith("USER ")]
    assert users == ["digitline"]
    assert json.loads(_all("ENTRYPOINT")[0]) == ["python", "-m", "digitline"]
    assert _all("STOPSIGNAL") == ["SIGTERM"]


def test_the_group_that_the_processes_run_as_is_known_in_the_image() -> None:
    """Of one that is not, Celery warns as if it were root's."""
    assert _all("ARG") == ["LINE_GID=1000"]
    assert [line for line in _all("RUN") if 'groupadd --gid "$LINE_GID"' in line]
    for service in services(LINE_GID="1718").values():
        if "build" in service and service["user"] != "1000:1000":
            assert service["user"].split(":")[1] == service["build"]["args"]["LINE_GID"] == "1718"


def test_the_image_is_of_this_version() -> None:
    version = PROJECT["project"]["version"]
    assert f'image.version="{version}"' in DOCKERFILE
    assert services()["worker"]["image"] == f"digitline:{version}"


def test_no_build_file_names_an_address() -> None:
    for path in (*sorted((ROOT / "deploy").glob("*")), ROOT / ".dockerignore", ROOT / ".env.example"):
        if path.is_file():
            assert not re.search(r"https?://", path.read_text()), path
