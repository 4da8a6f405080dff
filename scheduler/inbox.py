"""The inbox: what lies still is claimed by a rename, and every claim becomes one job."""

from __future__ import annotations

import logging
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from core.crash import crash_point
from core.errors import SettingsError, SubmissionError
from core.ledger import jobs
from core.settings import Settings
from core.vocabulary import Job, Trigger
from scheduler import filing
from scheduler.folder import ignored
from scheduler.producer import Line, submit
from scheduler.settle import Tracker, being_written, look_at

log = logging.getLogger(__name__)

#: Name of the folder that loose files are claimed into; they have none of their own.
LOOSE = "loose files"

#: Seconds that settled loose files wait for others that still arrive, so that they become one job.
_PATIENCE = 10.0
#: Seconds after which an unfinished claim of loose files counts as left behind by a crash.
_ABANDONED_AFTER = 60.0


class Inbox:
    """A watched folder; everything that lies still in it is scored."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._settings = line.settings
        self._tracker = Tracker(line.settings.settle_time, time.monotonic)
        #: Names of drops that could not be moved, and of which the log knows.
        self._immovable: set[str] = set()
        prepare_folders(line.settings)

    def look(self) -> list[Job]:
        """Claim what lies still, and hand every claim over; returns the new jobs.

        Raises:
            LedgerUnreachable, QueueUnreachable: what is claimed stays claimed and is handed over at a later look.
        """
        self._claim_settled()
        self._finish_abandoned_claims()
        return self._hand_over()

    def _claim_settled(self) -> None:
        drops = {path.name: path for path in self._settings.inbox_folder.iterdir() if not ignored(path.name)}
        rested = self._tracker.rested({name: look_at(path) for name, path in drops.items()})
        loose = {name for name, path in drops.items() if path.is_symlink() or not path.is_dir()}
        for name in sorted(rested.keys() - loose):
            if not being_written(drops[name]):
                self._claim([drops[name]])
        settled = sorted(name for name in rested.keys() & loose if not being_written(drops[name]))
        waited = max((rested[name] for name in settled), default=0.0)
        if settled and (len(settled) == len(loose) or waited > _PATIENCE):
            self._claim([drops[name] for name in settled], within=LOOSE)
        self._immovable &= drops.keys()

    def _claim(self, drops: list[Path], *, within: str = "") -> None:
        """Move drops into a claim of their own; it is hidden until it is whole, so that nobody hands over a part."""
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        unfinished = self._settings.claimed_folder / f".{name}"
        (unfinished / within).mkdir(parents=True)
        moved = [drop for drop in drops if self._move(drop, unfinished / within / drop.name)]
        if not moved:
            _remove_empty(unfinished)
            return
        unfinished.rename(self._settings.claimed_folder / name)
        crash_point("inbox.claimed")

    def _move(self, drop: Path, to: Path) -> bool:
        """Move one drop; one that cannot be moved stays, is complained about once, and keeps no other waiting."""
        try:
            drop.rename(to)
        except FileNotFoundError:
            log.info("%s was taken away before it was claimed", drop.name)
            return False
        except OSError as error:
            if drop.name not in self._immovable:
                log.error("%s cannot be claimed: %s. Let the scheduler's user write it.", drop, error.strerror)
            self._immovable.add(drop.name)
            return False
        return True

    def _finish_abandoned_claims(self) -> None:
        for path in self._settings.claimed_folder.glob(".*"):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                log.warning("a claim was left unfinished; it goes on as %s", path.name[1:])
                path.rename(path.with_name(path.name[1:]))

    def _hand_over(self) -> list[Job]:
        claims = {path.name: path for path in self._settings.claimed_folder.iterdir() if not path.name.startswith(".")}
        handed = jobs.claims_with_a_job(self._line.database, claims)
        made = (self._submit(claims[name]) for name in sorted(claims.keys() - handed))
        return [job for job in made if job is not None]

    def _submit(self, claim: Path) -> Job | None:
        roots = list(claim.iterdir())
        if not roots or not any(look_at(root).files for root in roots):
            _remove_empty(claim)
            return None
        root = roots[0]
        try:
            return submit(self._line, root, name=_job_name(root), triggered_by=Trigger.INBOX, claim=claim.name)
        except SubmissionError as error:
            place = filing.file_unsubmitted(self._settings, root, error)
            log.error("%s could not become a job and lies in %s now: %s %s", root.name, place, error, error.mend)
            return None


def prepare_folders(settings: Settings) -> None:
    """Make the folders that drops move through.

    Raises:
        SettingsError: they cannot be made, or lie on several file systems, where no move is atomic.
    """
    folders = (settings.inbox_folder, settings.claimed_folder, settings.done_folder, settings.failed_folder)
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        devices = {folder.stat().st_dev for folder in folders}
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be made: {error.strerror}.") from error
    if len(devices) > 1:
        raise SettingsError(
            f"{settings.inbox_folder} and its neighbours claimed, done and failed lie on different file systems.",
            mend="Mount the folder above them, so that a drop moves by one rename.",
        )


def _job_name(root: Path) -> str:
    if root.name != LOOSE:
        return root.name
    files = sorted(path.name for path in root.iterdir())
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def _remove_empty(claim: Path) -> None:
    """Remove a claim in which no file is; a claim that turns out not to be empty stays."""
    for folder, _, files in os.walk(claim, topdown=False):
        if files:
            log.warning("%s holds nothing to score, and files that are left alone; it stays where it is", claim)
            return
        Path(folder).rmdir()
