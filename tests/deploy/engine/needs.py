"""What this machine must have before an engine can be asked anything."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

#: Program, and Debian's package of it.
_PROGRAMS = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "tar": "tar",
}
_PLUGINS = tuple(
    Path(folder, "docker-compose")
    for folder in (
        Path.home() / ".docker/cli-plugins",
        "/usr/local/lib/docker/cli-plugins",
        "/usr/lib/docker/cli-plugins",
        "/usr/libexec/docker/cli-plugins",
    )
)


class Missing(Exception):
    """Something without which no engine runs here; says how to mend it."""


def check() -> None:
    """Refuse a machine on which nothing of this can work.

    Raises:
        Missing: not root, or without a program.
    """
    if os.geteuid() != 0:
        raise Missing("An engine of its own, debootstrap and signals to containers need root: sudo make deploy-test")
    packages = sorted({package for program, package in _PROGRAMS.items() if not _found(program)})
    if packages:
        raise Missing(f"Not installed: {', '.join(packages)}. On Debian: apt-get install {' '.join(packages)}")


def compose_command() -> list[str]:
    """Compose as it is here: the plugin of Docker, or the program of its own."""
    return ["docker", "compose"] if any(plugin.exists() for plugin in _PLUGINS) else ["docker-compose"]


def search_path() -> str:
    """PATH, and where administrators' programs lie, which some users' PATH leaves out."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _found(program: str) -> bool:
    if program == "docker-compose" and compose_command() != [program]:
        return True
    return shutil.which(program, path=search_path()) is not None
