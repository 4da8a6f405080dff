"""What this host has: libraries, time zones, settings that nobody reads, the model, and pages with passwords."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from classifier.artifact import read_card
from classifier.keras_file import check_folder
from core.errors import LineError, SettingsError
from core.ledger import models, schedules
from core.settings import PREFIX, Settings, refuse_unknown_variables
from core.vocabulary import Runtime
from digitline import flower, local, samples
from digitline.doctor.finding import Caution
from digitline.doctor.servers import ledger
from digitline.web import address as web_address

#: Sample digits that the model reads, and how many of them it must read right; the shipped one reads all.
_DIGITS, _RIGHT = 100, 90
#: A zone that is asked for where no schedule names one.
_ALWAYS = "Europe/Berlin"
#: What the numbers depend on.
_LIBRARIES = ("tensorflow", "opencv-python-headless", "celery")


def versions(settings: Settings) -> str:
    """Everything that the runtime needs is installed."""
    needed = {Runtime.KERAS: ("tensorflow", "keras")}.get(settings.runtime, ("ai-edge-litert",))
    for name in (*needed, "opencv-python-headless"):
        if _version(name) is None:
            raise LineError(f"{name} is not installed.", mend="`make setup` installs what is pinned.")
    known = ", ".join(f"{name} {found}" for name in _LIBRARIES if (found := _version(name)) is not None)
    return f"Python {platform.python_version()}, {known}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def time_zones(settings: Settings) -> str:
    """The zones that schedules name are known here."""
    with ledger(settings) as opened:
        zones = {_ALWAYS, *(one.plan.timezone for one in schedules.every(opened))}
    if missing := sorted(filter(_is_unknown, zones)):
        mend = "Install the system's tzdata, or `pip install tzdata`."
        raise LineError(f"There is no time zone data for {', '.join(missing)}: schedules cannot run.", mend=mend)
    return "their data is there"


def _is_unknown(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except ZoneInfoNotFoundError:
        return True
    return False


def variables(_: Settings) -> str:
    """No file `.env` here names a setting that there is not; Compose would not even look at it."""
    file = Path(".env")
    if not file.is_file():
        return "no .env here"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    names = [line.removeprefix("export ").partition("=")[0].strip() for line in map(str.strip, lines) if "=" in line]
    ours = [name for name in names if name.startswith(PREFIX)]
    try:
        refuse_unknown_variables(ours)
    except SettingsError as error:
        raise Caution(f"{file.absolute()}: {error}", mend=error.mend) from error
    return f"{len(ours)} of ours in {file.absolute()}"


def model(settings: Settings) -> str:
    """The model in production is the very one that the ledger names, whole and harmless."""
    with ledger(settings) as opened:
        chosen = models.find(opened, models.PRODUCTION)
    folder = Path(chosen.location)
    check_folder(folder, read_card(folder, sha256=chosen.sha256))
    return f"{chosen.name} in {folder}"


def digits(settings: Settings) -> str:
    """The model in production reads sample digits here, by the runtime that workers use."""
    with ledger(settings) as opened:
        chosen = models.find(opened, models.PRODUCTION)
    right = _read_right(Path(chosen.location), chosen.sha256)
    told = f"{chosen.name} reads {right} of {_DIGITS} sample digits right by {settings.runtime}"
    if right < _RIGHT:
        mend = "`digitline evaluate` measures it; `digitline models rollback` brings the one before back."
        raise LineError(f"{told}.", mend=mend)
    return told


def _read_right(folder: Path, sha256: str) -> int:
    images, labels = samples.read_samples(_DIGITS)
    read_card(folder, sha256=sha256)
    results = local.predict(images, model=folder, split=False)
    return sum(result.label == label for result, label in zip(results, labels.tolist(), strict=True))


def pages(settings: Settings) -> str:
    """Flower and the web page listen where they may."""
    flower.check(settings)
    web_address.check(settings)
    return f"Flower for {settings.flower_address}, web page for {settings.web_address}"
