"""Stand-ins for the images of a registry, made of Debian's packages, under the names that the files of the project use.

Mirror, keys, proxies, certificates and pip's index are those of the machine that this runs on.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from tests.deploy.compose import ROOT, services
from tests.deploy.engine.docker import CommandFailed, Docker, Say, run
from tests.deploy.engine.needs import search_path

RECIPES = Path(__file__).resolve().parent / "standins"
#: Says of an image that it is a stand-in, and by which recipe it was made.
_LABEL = "digitline.stand-in"
_DEBIAN = "digitline-deploy-test/debian"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def wanted(*, monitoring: bool = False) -> list[str]:
    """Names of the images that Dockerfile and Compose file take from a registry, each once.

    Args:
        monitoring: with those of the profile `monitoring` for which there is a recipe.
    """
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+:\S+)", dockerfile, re.MULTILINE)
    named = [
        service["image"]
        for service in services().values()
        if "build" not in service and (monitoring or "profiles" not in service)
    ]
    return list(dict.fromkeys([*bases, *(name for name in named if recipe(name).exists())]))


def recipe(name: str) -> Path:
    """The Dockerfile of the stand-in for an image."""
    return RECIPES / f"{name.split(':', maxsplit=1)[0].rsplit('/', maxsplit=1)[-1]}.Dockerfile"


def provide(docker: Docker, names: list[str], say: Say) -> list[str]:
    """See to it that the images are there: the real ones, else stand-ins.

    Returns:
        The names of the stand-ins.

    Raises:
        CommandFailed: one cannot be made.
    """
    standins = []
    for name in names:
        made_by = _made_by(docker, name)
        if made_by is None and (docker.has_image(name) or _pulled(docker, name)):
            say(f"{name}: the real one")
            continue
        standins.append(name)
        if made_by == _fingerprint(name):
            say(f"{name}: a stand-in, made before")
            continue
        say(f"{name}: makes a stand-in of Debian's packages")
        _make(docker, name, say)
    return standins


def _made_by(docker: Docker, name: str) -> str | None:
    """The fingerprint of the recipe that an image was made by; None for a real one, or where there is none."""
    if not docker.has_image(name):
        return None
    label = docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{_LABEL}"}}}}', name).strip()
    return label or None


def _pulled(docker: Docker, name: str) -> bool:
    try:
        docker("pull", "--quiet", name, timeout=300.0)
    except CommandFailed:
        return False
    return True


def _fingerprint(name: str) -> str:
    """Of everything that a stand-in is made by."""
    digest = hashlib.sha256()
    for path in (recipe(name), *_scripts(name)):
        digest.update(path.read_bytes())
    digest.update("\n".join(pip_settings()).encode())
    return digest.hexdigest()[:16]


def _scripts(name: str) -> list[Path]:
    return sorted(RECIPES.glob(f"{recipe(name).stem}-*"))


def _make(docker: Docker, name: str, say: Say) -> None:
    dockerfile = recipe(name)
    (base,) = re.findall(rf"^FROM {_DEBIAN}:(\w+)", dockerfile.read_text(), re.MULTILINE)
    if not docker.has_image(f"{_DEBIAN}:{base}"):
        _make_debian(docker, base, say)
    with tempfile.TemporaryDirectory() as context:
        for path in (dockerfile, *_scripts(name)):
            shutil.copy(path, context)
        Path(context, "pip.conf").write_text("\n".join(["[global]", *pip_settings(), ""]))
        proxies = [word for key in _PROXIES if key in os.environ for word in ("--build-arg", key)]
        labelled = ["--label", f"{_LABEL}={_fingerprint(name)}"]
        # The host's network: a proxy or a mirror may listen on its loopback.
        words = ["build", "--network=host", *proxies, *labelled, f"--tag={name}"]
        docker(*words, f"--file={Path(context, dockerfile.name)}", context, timeout=1800.0)


def _make_debian(docker: Docker, suite: str, say: Say) -> None:
    """Import a bare Debian, with the settings of this machine's apt and the certificates that it trusts."""
    say(f"Debian {suite}, by debootstrap")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root, archive = Path(folder, "root"), Path(folder, "root.tar")
        words = ["debootstrap", "--variant=minbase", "--include=ca-certificates,tzdata", suite]
        run([*words, root, _mirror()], environment={**os.environ, "PATH": search_path()}, timeout=1800.0)
        (root / "etc/apt/apt.conf.d/90this-machine").write_text("\n".join([*_apt_settings(), ""]))
        if _CERTIFICATES.exists():
            shutil.copy(_CERTIFICATES, root / _CERTIFICATES.relative_to("/"))
        for package in (root / "var/cache/apt/archives").glob("*.deb"):
            package.unlink()
        run(["tar", "--create", f"--file={archive}", f"--directory={root}", "."])
        docker("import", f"--change=LABEL {_LABEL}=base", archive, f"{_DEBIAN}:{suite}")


def _mirror() -> str:
    """Where this machine's apt takes Debian from."""
    chosen = ["Created-By: Packages", "Origin: Debian", "Label: Debian", "Component: main"]
    found = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", *chosen]).splitlines()
    if not found:
        raise CommandFailed("apt knows no mirror of Debian here. apt-get update fetches its lists.")
    return found[0]


def _apt_settings() -> list[str]:
    """How this machine's apt reaches its mirror: proxies, time limits."""
    dumped = run(["apt-config", "dump"]).splitlines()
    return [line for line in dumped if re.match(r"Acquire::(?:https?|ftp|Retries)\b", line, re.IGNORECASE)]


def pip_settings() -> list[str]:
    """How this machine's pip reaches its index, without folders of this machine, which no container sees."""
    settings: dict[str, str] = {}
    for line in run([sys.executable, "-m", "pip", "config", "list"]).splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        words = [word for word in shlex.split(value)[0].split() if not word.startswith(("/", "file:"))]
        if name in {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries"} and words:
            settings[name] = " ".join(words)
    if _CERTIFICATES.exists():
        settings["cert"] = str(_CERTIFICATES)
    return [f"{name} = {value}" for name, value in settings.items()]
