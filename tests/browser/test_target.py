"""`make test-web` finds its browser, installs it or says what to do, before it installs anything else."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.environment import ROOT


class Machine:
    """A machine whose PATH holds what is put there, and what its apt-get was asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked = folder.with_name("asked")
        folder.mkdir()
        for name in ("sh", "make", "chmod"):
            (folder / name).symlink_to(shutil.which(name) or name)

    def has(self, name: str, script: str = "exit 0") -> None:
        """Put a command there."""
        command = self._folder / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)

    def has_apt(self, *, gives: str) -> None:
        """Put an apt-get there that writes down what it is asked for, and runs `gives` when it is to install."""
        self.has("apt-get", f'echo "$@" >> {self._asked}\ncase "$1" in install) {gives};; esac')

    @property
    def asked(self) -> str:
        """What apt-get was asked for."""
        return self._asked.read_text() if self._asked.exists() else ""

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Look for the browser, as `make test-web` begins."""
        environment = {"PATH": str(self._folder), "HOME": str(self._folder)}
        return subprocess.run(
            ["make", "chromium", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "bin")


def test_a_browser_that_is_there_is_all_that_is_needed(machine: Machine) -> None:
    machine.has("chromium")
    machine.has_apt(gives="exit 1")
    assert machine.make().returncode == 0
    assert machine.asked == ""


def test_root_gets_debians_chromium(machine: Machine, tmp_path: Path) -> None:
    machine.has("id", "echo 0")
    there = tmp_path / "bin" / "chromium"
    machine.has_apt(gives=f"echo > {there}; chmod 755 {there}")
    ended = machine.make()
    assert ended.returncode == 0, ended.stdout
    assert machine.asked == "update -qq\ninstall -y -qq --no-install-recommends chromium\n"


@pytest.mark.parametrize(("user", "gives"), [(1000, "exit 0"), (0, "exit 1"), (0, "exit 0")])
def test_where_it_cannot_be_installed_it_is_said_what_to_do(machine: Machine, user: int, gives: str) -> None:
    machine.has("id", f"echo {user}")
    machine.has_apt(gives=gives)
    ended = machine.make()
    assert ended.returncode != 0
    assert "sudo apt-get install chromium" in ended.stdout
    assert "CHROMIUM=" in ended.stdout
    assert (machine.asked == "") == (user != 0)


def test_a_browser_that_is_named_is_taken_and_no_other_is_installed(machine: Machine, tmp_path: Path) -> None:
    machine.has("id", "echo 0")
    machine.has("chromium")
    machine.has_apt(gives="exit 0")
    missing = machine.make(f"CHROMIUM={tmp_path}/chrome")
    assert missing.returncode != 0
    assert f"There is no browser {tmp_path}/chrome" in missing.stdout
    assert machine.asked == ""
    assert machine.make(f"CHROMIUM={shutil.which('true')}").returncode == 0


def test_the_browser_is_looked_for_before_minutes_of_installing(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    environment = {**os.environ, "CHROMIUM": "no-such-browser"}
    ended = subprocess.run(
        ["make", "test-web"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "There is no browser no-such-browser" in ended.stdout
    assert not (tmp_path / ".venv").exists()
