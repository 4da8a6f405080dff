"""`digitline doctor`: is everything in order, and if not, what to do about it."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import DigitlineError, SettingsError
from core.settings import Settings, get_settings
from digitline.doctor import end_to_end, machine, places, servers, work
from digitline.doctor.finding import Caution, Finding, Severity

__all__ = ["PATIENCE", "Finding", "Severity", "consult", "examine"]

#: Seconds that digits get to go through the whole line where nobody says otherwise.
PATIENCE = end_to_end.PATIENCE

#: Each says what is in order, or raises: `Caution` for a warning, any other DigitlineError for a fault.
_CHECKS: dict[str, Callable[[Settings], str]] = {
    "machine": machine.versions,
    "time zones": machine.time_zones,
    "variables": machine.variables,
    "folders": places.folders,
    "inbox": places.inbox,
    "buckets": places.buckets,
    "disk": places.disk,
    "database": servers.database,
    "clock": servers.clock,
    "model": machine.model,
    "digits": machine.digits,
    "accounts": work.accounts,
    "batches": work.batches,
    "jobs": work.jobs_that_wait,
    "claims": work.claims,
    "hooks": work.hooks,
    "redis": servers.redis,
    "times": servers.times,
    "scheduler": work.scheduler,
    "workers": work.workers,
    "pages": machine.pages,
}


def consult(*, whole_queue: bool = False, timeout: float = PATIENCE) -> list[Finding]:
    """Check every part of the line, its settings first; without them there is nothing else to check.

    Args:
        whole_queue: whether sample digits are sent through the whole line as well.
        timeout: seconds that they get.
    """
    try:
        settings = get_settings()
    except SettingsError as error:
        return [Finding("settings", Severity.FAULT, str(error), error.mend)]
    findings = [Finding("settings", Severity.OK, f"home {settings.home_folder}"), *examine(settings)]
    if whole_queue:
        findings.append(_examine("end to end", lambda chosen: end_to_end.send_digits(chosen, timeout), settings))
    return findings


def examine(settings: Settings) -> list[Finding]:
    """Check every part of the line; a part that fails keeps no other from being checked."""
    return [_examine(what, check, settings) for what, check in _CHECKS.items()]


def _examine(what: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(what, Severity.OK, check(settings))
    except DigitlineError as error:
        severity = Severity.WARNING if isinstance(error, Caution) else Severity.FAULT
        return Finding(what, severity, str(error), error.mend)
    except OSError as error:
        mend = "Name another home with DIGITLINE_HOME, or mend this one."
        return Finding(what, Severity.FAULT, f"{error}.", mend)
