"""Which file system a folder lies on, as Linux tells it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_MOUNTINFO = Path("/proc/self/mountinfo")

#: File systems whose other hosts' changes the kernel here does not hear of, and whose locks are no good to SQLite.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "lustre", "afs", "gpfs", "beegfs", "virtiofs"}
)
_NETWORK_FUSE = frozenset({"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.ceph-fuse", "fuse.mfs"})
#: Folders that a virtual machine or a container shares with its host.
_SHARED = frozenset({"vboxsf", "prl_fs", "vmhgfs", "fuse.vmhgfs-fuse", "fuse.grpcfuse", "fakeowner"})


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a file system is mounted."""

    point: Path
    #: Its type: `ext4`, `nfs4`...
    kind: str

    @property
    def of_network(self) -> bool:
        """True where others may change it behind this kernel's back."""
        return self.kind in _NETWORK | _NETWORK_FUSE | _SHARED


def mount_of(path: Path, lines: Iterable[str] | None = None) -> Mount | None:
    """The mount that a folder lies on; None where the system does not tell.

    Args:
        path: of the folder; it is resolved.
        lines: of a `mountinfo` (proc(5)); default: this process's.
    """
    if lines is None:
        if not _MOUNTINFO.exists():
            return None
        lines = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    resolved = path.resolve()
    holding = [mount for mount in map(_read, lines) if resolved.is_relative_to(mount.point)]
    # Of two at one place, the later one hides the earlier.
    return max(reversed(holding), key=lambda mount: len(mount.point.parts), default=None)


def _read(line: str) -> Mount:
    """A line: `36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw`, blanks in names as octal escapes."""
    before, _, after = line.partition(" - ")
    point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), before.split()[4])
    return Mount(Path(point), after.split()[0])
