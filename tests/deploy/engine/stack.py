"""The line as Compose runs it: a project of its own, with its own settings, folder and volumes."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.database import Database
from tests.deploy.compose import COMPOSE, ROOT, services, variables
from tests.deploy.engine.docker import Docker, run
from tests.deploy.engine.needs import compose_command
from tests.servers import free_port
from tests.waiting import wait_until

PROJECT = "digitline-deploy-test"
#: The user that the line's processes run as: none of this machine's, and not the image's own.
LINE_UID, LINE_GID = 1717, 1718
#: Services that run on, wherever the line runs.
LINE = tuple(name for name, service in services().items() if service["restart"] != "no" and "profiles" not in service)
#: Seconds between two health checks, so that the test need not wait for the intervals of production.
_INTERVAL = 5


@dataclass(frozen=True)
class Container:
    """One container of the project, as it is at this moment."""

    docker: Docker
    id: str
    service: str

    def inspect(self) -> dict[str, Any]:
        """All that the engine says of it."""
        (found,) = json.loads(self.docker("container", "inspect", self.id))
        assert isinstance(found, dict)
        return found

    @property
    def state(self) -> str:
        """`running`, `exited`..."""
        return str(self.inspect()["State"]["Status"])

    @property
    def health(self) -> str:
        """`starting`, `healthy`, `unhealthy`, or `none` where nobody checks."""
        return str(self.inspect()["State"].get("Health", {}).get("Status", "none"))

    @property
    def pid(self) -> int:
        """Of its init, as this machine counts; 0 where it does not run."""
        return int(self.inspect()["State"]["Pid"])

    @property
    def processes(self) -> list[int]:
        """All its processes, as this machine counts."""
        lines = self.docker("container", "top", self.id, "-eo", "pid").splitlines()[1:]
        return [int(line) for line in lines]

    def address(self) -> str:
        """On the line's own network."""
        networks = self.inspect()["NetworkSettings"]["Networks"]
        return str(networks[f"{PROJECT}_line"]["IPAddress"])

    def execute(self, *command: str) -> str:
        """What a command in the container writes.

        Raises:
            CommandFailed: it did not succeed.
        """
        return self.docker("container", "exec", self.id, *command)

    def logs(self, lines: int = 40) -> str:
        """The end of what it wrote."""
        return run(
            ["sh", "-c", f"docker container logs --tail={lines} {self.id} 2>&1"], environment=self.docker.environment
        )


class Stack:
    """docker-compose.yml under a name of its own; nothing of it is changed but the image's tag and how often health is asked."""

    def __init__(self, docker: Docker) -> None:
        """Prepare settings, and start nothing."""
        self.docker = docker
        self.folder = Path(tempfile.mkdtemp(prefix="digitline-deploy-test-"))
        self.folder.chmod(0o755)
        self.line = self.folder / "line"
        self.line.mkdir()
        os.chown(self.line, LINE_UID, LINE_GID)
        self.passwords = {name: secrets.token_hex(16) for name in ("redis", "postgres", "flower", "web")}
        self.ports = {name: free_port() for name in variables() if name.endswith("_PORT")}
        self._settings = self._write_settings()
        self._override = self.folder / "override.yml"
        self.use_image("digitline:deploy-test")

    def use_image(self, name: str) -> None:
        """Name the image that the line's processes run from the next `up` on."""
        self.image = name
        ours = {service: {"image": name} for service, given in services().items() if "build" in given}
        checked = {
            service: {"healthcheck": {"interval": f"{_INTERVAL}s"}}
            for service, given in services().items()
            if "healthcheck" in given
        }
        merged = {service: {**ours.get(service, {}), **checked.get(service, {})} for service in {**ours, **checked}}
        self._override.write_text(yaml.safe_dump({"services": merged}))

    def compose(self, *arguments: str, given: str | None = None, timeout: float = 600.0) -> str:
        """What `docker compose ARGUMENTS` writes.

        Raises:
            CommandFailed: it did not succeed.
        """
        files = [f"--file={COMPOSE}", f"--file={self._override}", f"--env-file={self._settings}"]
        command = [*compose_command(), f"--project-name={PROJECT}", f"--project-directory={ROOT}", *files]
        hidden = {name: value for name, value in self.docker.environment.items() if name not in variables()}
        return run([*command, *arguments], environment=hidden, given=given, timeout=timeout)

    def digitline(self, *arguments: str) -> str:
        """What a verb writes, in a container of its own.

        Raises:
            CommandFailed: it did not succeed.
        """
        return self.compose("run", "--rm", "-T", "digitline", *arguments)

    def up(self, *, workers: int = 1) -> None:
        """Start what does not run, make anew what has changed, and return once everything is healthy."""
        self.compose("up", "--detach", f"--scale=worker={workers}")
        self.wait_for_health(workers=workers)

    def containers(self, service: str, *, stopped: bool = False) -> list[Container]:
        """Those of a service that run, or all of them."""
        chosen = [f"--filter=label=com.docker.compose.project={PROJECT}"]
        chosen += [f"--filter=label=com.docker.compose.service={service}"]
        listed = self.docker("ps", "--quiet", "--no-trunc", *chosen, *(["--all"] if stopped else [])).split()
        return [Container(self.docker, identity, service) for identity in listed]

    def one(self, service: str) -> Container:
        """The container of a service that has one."""
        (container,) = self.containers(service)
        return container

    def wait_for_health(self, *names: str, workers: int = 1, timeout: float = 240.0) -> None:
        """Return once all containers of these services, or of all, are healthy."""
        for name in names or LINE:
            count = workers if name == "worker" else 1
            wait_until(lambda n=name, c=count: self._healthy(n, c), f"{name} is healthy", timeout, 0.3)

    def database(self) -> Database:
        """The ledger, by the container's address: this machine reaches the bridge, others do not."""
        address = self.one("postgres").address()
        return Database(f"postgresql://digitline:{self.passwords['postgres']}@{address}:5432/digitline")

    def tidy(self) -> None:
        """Remove containers, networks and volumes, of whichever run."""
        self.compose("--profile=monitoring", "--profile=tools", "down", "--volumes", "--remove-orphans", "--timeout=10")

    def remove(self) -> None:
        """Remove all that there is of it."""
        self.tidy()
        shutil.rmtree(self.folder)

    @staticmethod
    def ours(service: str) -> bool:
        """Tell whether a service runs the image of the line."""
        return "build" in services()[service]

    def _healthy(self, service: str, count: int) -> bool:
        found = self.containers(service)
        return len(found) == count and all(container.health == "healthy" for container in found)

    def _write_settings(self) -> Path:
        given = {name: default or "" for name, default in variables().items()}
        given |= {
            "LINE_FOLDER": str(self.line),
            "LINE_UID": str(LINE_UID),
            "LINE_GID": str(LINE_GID),
            "REDIS_PASSWORD": self.passwords["redis"],
            "POSTGRES_PASSWORD": self.passwords["postgres"],
            "DIGITLINE_FLOWER_AUTH": f"ada:{self.passwords['flower']}",
            "DIGITLINE_WEB_AUTH": f"ada:{self.passwords['web']}",
        } | {name: str(port) for name, port in self.ports.items()}
        path = self.folder / "env"
        path.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        path.chmod(0o600)
        return path
