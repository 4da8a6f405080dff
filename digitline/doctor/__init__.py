"""`digitline doctor`: is everything in order, and if not, what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from core.errors import DigitlineError, SettingsError
from core.settings import Settings, get_settings
from digitline.doctor import end_to_end, machine, places, servers, work
from digitline.doctor.finding import Caution, Finding, Severity

__all__ = ["PATIENCE", "Finding", "Severity", "consult"]

#: Seconds that digits get to go through the whole line where nobody says otherwise.
PATIENCE = end_to_end.PATIENCE

#: Each says what is in order, or raises: `Caution` for a warning, any other DigitlineError for a fault. What others need
#: comes before them.
_CHECKS: dict[str, Callable[[Settings], str]] = {
    "machine": machine.versions,
    "variables": machine.variables,
    "folders": places.folders,
    "inbox": places.inbox,
    "buckets": places.buckets,
    "disk": places.disk,
    "database": servers.database,
    "redis": servers.redis,
    "clock": servers.clock,
    "time zones": machine.time_zones,
    "model": machine.model,
    "digits": machine.digits,
    "accounts": work.accounts,
    "batches": work.batches,
    "jobs": work.jobs_that_wait,
    "claims": work.claims,
    "hooks": work.hooks,
    "times": servers.times,
    "scheduler": work.scheduler,
    "workers": work.workers,
    "pages": machine.pages,
}


def consult(patience: float | None = None) -> list[Finding]:
    """Check every part of the line, its settings first; without them there is nothing else to check.

    A part that fails keeps no other from being checked.

    Args:
        patience: seconds that sample digits get to go through the whole line as well; None: none are sent.
    """
    try:
        settings = get_settings()
    except SettingsError as error:
        return [Finding("settings", Severity.FAULT, str(error), error.mend)]
    checks = dict(_CHECKS)
    if patience is not None:
        checks["end to end"] = partial(end_to_end.send_digits, timeout=patience)
    found = [_examine(what, check, settings) for what, check in checks.items()]
    return [Finding("settings", Severity.OK, f"home {settings.home_folder}"), *found]


def _examine(what: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(what, Severity.OK, check(settings))
    except DigitlineError as error:
        severity = Severity.WARNING if isinstance(error, Caution) else Severity.FAULT
        return Finding(what, severity, str(error), error.mend)
    except OSError as error:
        mend = "Name another home with DIGITLINE_HOME, or mend this one."
        return Finding(what, Severity.FAULT, f"{error.filename or error}: {error.strerror}.", mend)
