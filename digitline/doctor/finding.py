"""What one check of the doctor's found, and how bad it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from core.errors import LineError


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    #: The line works, and something of it should be looked at before it does not.
    WARNING = "warning"
    #: Something does not work, or gives what it must not.
    FAULT = "fault"


class Caution(LineError):
    """The line works, and something should be looked at all the same."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    what: str
    severity: Severity
    finding: str
    #: What to do about it; empty where it is in order.
    mend: str = ""

    @property
    def in_order(self) -> bool:
        """True where nothing needs to be done."""
        return self.severity is Severity.OK

    def as_dict(self) -> dict[str, object]:
        """The finding as JSON takes it."""
        return {**asdict(self), "in_order": self.in_order}
