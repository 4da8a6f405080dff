"""Hosts of a network that lives in this process's own namespaces, and ends with it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: The network, and the address of the host that this process runs on.
_NETWORK, SERVERS = "10.77.0", "10.77.0.1"
NETWORK = f"{_NETWORK}.0/24"
_BRIDGE = "digitline0"
#: Of unshare(2): a network and mounts of our own, which nobody else sees.
_NEW_NETWORK, _NEW_MOUNTS = 0x40000000, 0x00020000

#: What a host does before a command: it takes its name, and mounts the share where every host has it.
_ENTER = 'hostname "$1" && mount --bind "$2" "$3" && shift 3 && exec "$@"'


@dataclass(frozen=True, slots=True)
class Host:
    """A host: its name, its address, and the share under the path that all hosts have it."""

    name: str
    address: str
    share: Path
    mounted_at: Path

    @property
    def within(self) -> Sequence[str]:
        """The command that runs another one on this host, in its own place."""
        mount = (self.name, str(self.share), str(self.mounted_at))
        return ["ip", "netns", "exec", self.name, "unshare", "--uts", "--mount", "sh", "-c", _ENTER, "sh", *mount]

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Nothing comes from this host and nothing gets there, as long as the block lasts; nobody is told."""
        _run("ip", "link", "set", self._cable, "down")
        try:
            yield
        finally:
            _run("ip", "link", "set", self._cable, "up")

    def connect(self) -> None:
        """Make the host and plug its cable in."""
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _run("ip", "link", "set", self._cable, "master", _BRIDGE, "up")
        for words in (["link", "set", "lo", "up"], ["addr", "add", f"{self.address}/24", "dev", "eth0"]):
            _run("ip", "-netns", self.name, *words)
        _run("ip", "-netns", self.name, "link", "set", "eth0", "up")

    @property
    def _cable(self) -> str:
        return f"to-{self.name}"[:15]


def build(names: Sequence[str], share: Path, mounted_at: Path) -> list[Host]:
    """Leave the network that this process is in for one of its own, with a host of each name in it.

    Args:
        names: of the hosts beside this one.
        share: the folder that is shared, on this host.
        mounted_at: where every other host has it; an empty folder on this one.

    Raises:
        OSError: the kernel, or whoever runs this container, does not allow it; root may.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK | _NEW_MOUNTS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no network of our own: {os.strerror(number)}; run it as root on Linux")
    _run("mount", "--make-rprivate", "/")
    Path("/run/netns").mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "hosts", "/run/netns")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", _BRIDGE, "type", "bridge")
    _run("ip", "addr", "add", f"{SERVERS}/24", "dev", _BRIDGE)
    _run("ip", "link", "set", _BRIDGE, "up")
    hosts = [Host(name, f"{_NETWORK}.{number}", share, mounted_at) for number, name in enumerate(names, start=2)]
    for host in hosts:
        host.connect()
    return hosts


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
