"""The engine: one that answers already, or one of its own, in a folder of its own and ended by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.engine.needs import search_path
from tests.waiting import wait_until

#: Seconds in which a daemon must answer.
_PATIENCE = 60.0
#: Tried in turn: an engine as it comes, then without overlays, then without a firewall of the kernel's.
_WAYS: tuple[tuple[str, ...], ...] = (
    (),
    ("--storage-driver=vfs",),
    ("--storage-driver=vfs", "--iptables=false", "--ip6tables=false"),
)

Say = Callable[[str], None]


class CommandFailed(Exception):
    """A command ended with another code than 0; holds the end of what it wrote."""


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    environment: Mapping[str, str] | None = None,
    given: str | None = None,
    timeout: float = 600.0,
) -> str:
    """What a command writes to its standard output.

    Args:
        command: program and arguments.
        environment: of the process; default: this one's.
        given: to its standard input; default: nothing.
        timeout: seconds.

    Raises:
        CommandFailed: its exit code is not 0, or it took too long.
    """
    words = [os.fspath(word) for word in command]
    try:
        ended = subprocess.run(
            words,
            env=environment,
            input=given if given is not None else "",
            text=True,
            errors="replace",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(words)}: not within {timeout:g} s") from error
    if ended.returncode != 0:
        tail = "\n".join(f"{ended.stdout}\n{ended.stderr}".strip().splitlines()[-30:])
        raise CommandFailed(f"{' '.join(words)}: exit code {ended.returncode}\n{tail}")
    return ended.stdout


@dataclass(frozen=True)
class Docker:
    """A daemon that answers."""

    #: Its socket; None for the one that the client finds by itself.
    host: str | None
    #: Whether it was started by this test.
    own: bool
    environment: dict[str, str] = field(repr=False, default_factory=lambda: dict(os.environ))

    def __call__(self, *arguments: str | os.PathLike[str], given: str | None = None, timeout: float = 600.0) -> str:
        """What `docker ARGUMENTS` writes.

        Raises:
            CommandFailed: it did not succeed.
        """
        return run(["docker", *arguments], environment=self.environment, given=given, timeout=timeout)

    def has_image(self, name: str) -> bool:
        """Tell whether there is an image of that name."""
        return bool(self("images", "--quiet", name).strip())


@contextmanager
def engine(root: Path, say: Say) -> Iterator[Docker]:
    """A daemon for the length of a `with`.

    Args:
        root: folder of an own daemon: its images, kept as a cache, its socket and its log.
        say: told which daemon it is.

    Raises:
        CommandFailed: none answers, and none can be started; with the end of each one's log.
    """
    if _answers(dict(os.environ)):
        say("the daemon that answers already; what is made on it is removed at the end")
        yield Docker(None, own=False)
        return
    socket = root / "run" / "docker.sock"
    socket.parent.mkdir(parents=True, exist_ok=True)
    host = f"unix://{socket}"
    docker = Docker(host, own=True, environment={**os.environ, "DOCKER_HOST": host})
    _end_one_that_was_left(root)
    daemon = _start(root, docker)
    version = docker("version", "--format", "{{.Server.Version}}").strip()
    driver = docker("info", "--format", "{{.Driver}}, cgroup v{{.CgroupVersion}}").strip()
    say(f"a daemon of its own, {version}, {driver}, in {root}")
    try:
        yield docker
    finally:
        _end(daemon)


def _answers(environment: Mapping[str, str]) -> bool:
    try:
        run(["docker", "version", "--format", "{{.Server.Version}}"], environment=environment, timeout=30.0)
    except CommandFailed:
        return False
    return True


def _end_one_that_was_left(root: Path) -> None:
    """End the daemon of a run that was killed: the one whose pid stands in this very folder."""
    file = root / "run" / "docker.pid"
    process = Path("/proc", file.read_text().strip()) if file.exists() else None
    if process is None or not process.exists():
        return
    if f"--pidfile={file}".encode() in (process / "cmdline").read_bytes().split(b"\0"):
        os.kill(int(process.name), signal.SIGTERM)
        wait_until(lambda: not process.exists(), f"the daemon {process.name} ends", timeout=60.0, interval=0.1)


def _start(root: Path, docker: Docker) -> subprocess.Popen[bytes]:
    failures = []
    for way in _WAYS:
        log = root / "dockerd.log"
        daemon = _spawn(root, log, str(docker.host), way)
        deadline = time.monotonic() + _PATIENCE
        while daemon.poll() is None and time.monotonic() < deadline:
            if _answers(docker.environment):
                return daemon
            time.sleep(0.2)
        _end(daemon)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        failures.append(f"dockerd {' '.join(way)}:\n{tail}")
    raise CommandFailed("No engine starts on this machine.\n" + "\n".join(failures))


def _spawn(root: Path, log: Path, host: str, way: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [
        "dockerd",
        f"--host={host}",
        f"--data-root={root / 'data'}",
        f"--exec-root={root / 'run' / 'exec'}",
        f"--pidfile={root / 'run' / 'docker.pid'}",
        *way,
    ]
    with log.open("wb") as file:
        # A session of its own: Ctrl-C is for the test, which needs the daemon to tidy up.
        return subprocess.Popen(
            command, stdout=file, stderr=file, start_new_session=True, env={**os.environ, "PATH": search_path()}
        )


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    wait_until(lambda: daemon.poll() is not None, f"the daemon {daemon.pid} ends", timeout=60.0, interval=0.1)
