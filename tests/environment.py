"""The environment of a subprocess that must see the same settings as the test."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from core.durations import as_text
from core.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent


def variables(settings: Settings, **more: str) -> dict[str, str]:
    """The variables for `subprocess.Popen(env=...)`: the test's own, these settings as `DIGITLINE_*`, and some more.

    Only what was set is passed on, so that defaults are the subprocess's own. Digitline's packages are importable.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    chosen = {f"{PREFIX}{name.upper()}": _text(getattr(settings, name)) for name in sorted(settings.model_fields_set)}
    return {**inherited, "PYTHONPATH": os.pathsep.join(paths), **chosen, **more}


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return as_text(value)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
