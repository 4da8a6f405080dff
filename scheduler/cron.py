"""When a cron expression comes true next, by the clocks of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from core.errors import ScheduleError

_FIELDS = 5
#: Longest expression, in characters, that the ledger keeps.
_LONGEST = 100
_MEND = "Give minute, hour, day of the month, month and day of the week: '0 2 * * *' is two o'clock every night."


def next_after(moment: datetime, expression: str, timezone: str) -> datetime:
    """The first moment after another one at which a cron expression comes true, as Debian's cron reads it.

    Where clocks are put forward, what would fall into the hour that is left out comes right after it; where they are
    put back, a time of day comes once, and every so many minutes or hours goes on by time that passes.

    Args:
        moment: with its zone.
        expression: five fields.
        timezone: a name of the IANA's, such as `Europe/Berlin`.

    Returns:
        In UTC.

    Raises:
        ScheduleError: the expression or the zone makes no sense, or the expression never comes true.
    """
    zone = _zone(timezone)
    if len(expression.split()) != _FIELDS or len(expression) > _LONGEST:
        raise ScheduleError(
            f"The cron expression {expression!r} is not of five fields in up to {_LONGEST} characters.", mend=_MEND
        )
    try:
        coming = next(CronSim(expression, moment.astimezone(zone)), None)
    except CronSimError as error:
        what = str(error).removeprefix("Bad ")
        raise ScheduleError(f"The cron expression {expression!r} makes no sense: its {what}.", mend=_MEND) from error
    if coming is None:
        raise ScheduleError(f"The cron expression {expression!r} names a day that never comes.", mend=_MEND)
    return coming.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # A name that is no file's, that of a folder, and one that leads out of where the zones are.
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ScheduleError(
            f"There is no time zone {name!r}.", mend="Give a name such as UTC, Europe/Berlin or America/New_York."
        ) from error
