"""What a container may do, asked of the kernel and of the engine, not of the file that wished it."""

from __future__ import annotations

import ipaddress
import json
import socket
from pathlib import Path

import pytest

from tests.deploy.engine.docker import CommandFailed
from tests.deploy.engine.stack import Container, Stack

#: Capability sets of /proc/PID/status; the last is what it could ever get.
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def check(stack: Stack, container: Container) -> None:
    """Assert that a running container is sealed, and that its secrets stand nowhere but in its environment."""
    for pid in container.processes:
        _check_process(pid)
    _check_file_system(container)
    _check_settings(container)
    _check_secrets(stack, container)


def _check_process(pid: int) -> None:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert "0" not in status["Uid"].split(), f"process {pid} is root's"
    assert "0" not in status["Gid"].split() or status["Uid"].startswith("472"), f"process {pid} is of root's group"
    held = {name: status[name].strip() for name in _CAPABILITIES if int(status[name], 16)}
    assert not held, f"process {pid} has capabilities: {held}"
    assert status["NoNewPrivs"].strip() == "1", f"process {pid} may gain privileges"
    assert status["Seccomp"].strip() == "2", f"process {pid} may call whatever it likes"


def _check_file_system(container: Container) -> None:
    for place in ("/", "/usr", "/etc", "/app", "/opt/venv", "/var/lib"):
        try:
            container.execute("sh", "-c", f"test ! -d {place} || ! touch {place}/written")
        except CommandFailed as error:
            raise AssertionError(f"{container.service} writes to {place}") from error
    container.execute("sh", "-c", "touch /tmp/written && rm /tmp/written")


def _check_settings(container: Container) -> None:
    told = container.inspect()
    host = told["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    published = [binding for bindings in (host["PortBindings"] or {}).values() for binding in bindings]
    assert all(binding["HostIp"] == "127.0.0.1" for binding in published), published


def _check_secrets(stack: Stack, container: Container) -> None:
    for pid in container.processes:
        line = Path(f"/proc/{pid}/cmdline").read_text()
        assert not _secrets_in(stack, line), f"{container.service} shows a secret on a command line"
    told = container.inspect()
    told["Config"].pop("Env")
    shown = _secrets_in(stack, json.dumps(told))
    assert not shown, f"docker inspect shows the password of {shown} of {container.service} beside its environment"


def _secrets_in(stack: Stack, text: str) -> list[str]:
    return [name for name, password in stack.passwords.items() if password in text]


def check_network(stack: Stack, container: Container) -> None:
    """Assert that a container is on the line's network alone, and that this leads nowhere."""
    (network,) = container.inspect()["NetworkSettings"]["Networks"]
    (told,) = json.loads(stack.docker("network", "inspect", network))
    assert told["Internal"] is True, f"{container.service} has a way out by {network}"
    for address in _name_servers():
        attempt = f"import socket; socket.create_connection(({address!r}, 53), 3)"
        with pytest.raises(CommandFailed, match="Error"):
            container.execute("python", "-c", attempt)


def _name_servers() -> list[str]:
    """Servers of names that this machine reaches; a container without a way out does not."""
    lines = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    return [words[1] for words in lines if words[:1] == ["nameserver"] and _reached(words[1])]


def _reached(address: str) -> bool:
    try:
        socket.create_connection((address, 53), 3).close()
    except OSError:
        return False
    return not ipaddress.ip_address(address).is_loopback


def check_image(stack: Stack) -> None:
    """Assert that the image shows no secret, is nobody's but a user's, and holds nothing that it can do without."""
    told = stack.docker("image", "inspect", stack.image)
    assert not _secrets_in(stack, told + stack.docker("history", "--no-trunc", stack.image))
    assert json.loads(told)[0]["Config"]["User"] not in {"", "0", "root"}
    search = (
        "/opt/venv",
        "/app",
        "(",
        "-name",
        "tests",
        "-o",
        "-path",
        "*/tensorflow/include",
        "-o",
        "-name",
        "*.whl",
        ")",
    )
    unwanted = stack.docker("run", "--rm", "--network=none", "--entrypoint=find", stack.image, *search)
    assert not unwanted.split(), unwanted
