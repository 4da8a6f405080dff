"""Named points at which a test may kill a process, to prove that nothing is lost; dead code unless a setting names one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from core.settings import get_settings


def crash_point(name: str) -> None:
    """End this process as `kill -9` would, if DIGITLINE_CRASH_AT says `name:/path/of/marker`; once per marker."""
    wanted = get_settings().crash_at
    if wanted is None or not wanted.startswith(f"{name}:"):
        return
    try:
        Path(wanted.split(":", 1)[1]).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
