"""The inbox: what lies still is claimed by a rename, and every claim becomes one job."""

from __future__ import annotations

import logging
import os
import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from core.crash import crash_point
from core.errors import (
    DigitlineError,
    SettingsError,
    SourceNotFound,
    SourceUnreadable,
    StoreUnreachable,
    SubmissionError,
)
from core.ledger import jobs
from core.settings import Settings
from core.vocabulary import Job, Trigger
from scheduler import filing
from scheduler.drops import BucketInbox
from scheduler.names import ignored
from scheduler.producer import Line, submit
from scheduler.settle import Look, Tracker, being_written, look_at

log = logging.getLogger(__name__)

#: Name of the folder that loose files are claimed into; they have none of their own.
LOOSE = "loose files"

#: Seconds that settled loose files wait for others that still arrive, so that they become one job.
_PATIENCE = 10.0
#: Name of a claim that is not whole yet; anything else that is hidden there is none of ours.
_UNFINISHED = re.compile(r"\.\d{8}-\d{6}-[0-9a-f]{6}")
#: Seconds after which an unfinished claim of loose files counts as left behind by a crash.
_ABANDONED_AFTER = 60.0


class Inbox:
    """A watched folder; everything that lies still in it is scored."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._settings = line.settings
        self._tracker = Tracker(line.settings.settle_time, time.monotonic)
        #: Drops and claims that are stuck, and of which the log knows.
        self._complained: set[Path] = set()
        self._buckets = [BucketInbox(line, prefix) for prefix in line.settings.inbox_prefixes]
        prepare_folders(line.settings)

    def look(self) -> list[Job]:
        """Claim what lies still, and hand every claim over; returns the new jobs.

        Raises:
            LedgerUnreachable, QueueUnreachable: what is claimed stays claimed and is handed over at a later look.
            SourceNotFound, SourceUnreadable, StoreUnreachable: an inbox in object storage is out of reach; all others
                were looked at.
        """
        self._claim_settled()
        self._finish_abandoned_claims()
        return self._hand_over() + self._look_into_buckets()

    def _look_into_buckets(self) -> list[Job]:
        made: list[Job] = []
        away: list[DigitlineError] = []
        for bucket in self._buckets:
            try:
                made += bucket.look()
            except (SourceNotFound, SourceUnreadable, StoreUnreachable) as error:
                away.append(error)
        if away:
            raise away[0]
        return made

    def _claim_settled(self) -> None:
        drops = {path.name: path for path in self._settings.inbox_folder.iterdir() if not ignored(path.name)}
        looks = {name: self._look_at(path) for name, path in drops.items()}
        rested = self._tracker.rested({name: look for name, look in looks.items() if look is not None})
        loose = {name for name, path in drops.items() if path.is_symlink() or not path.is_dir()}
        for name in sorted(rested.keys() - loose):
            if not self._being_written(drops[name]):
                self._claim([drops[name]])
        settled = sorted(name for name in rested.keys() & loose if not self._being_written(drops[name]))
        waited = max((rested[name] for name in settled), default=0.0)
        if settled and (len(settled) == len(loose) or waited > _PATIENCE):
            self._claim([drops[name] for name in settled], within=LOOSE)
        self._complained = {path for path in self._complained if os.path.lexists(path)}

    def _look_at(self, drop: Path) -> Look | None:
        """Look at one drop; None, and complained about once, where it may not be entered."""
        try:
            return look_at(drop)
        except OSError as error:
            self._complain(drop, f"{drop} cannot be read: {error.strerror}. Let the scheduler's user read it.")
            return None

    def _being_written(self, drop: Path) -> bool:
        try:
            return being_written(drop)
        except OSError:
            return True  # it was closed since it was looked at; the next look complains

    def _complain(self, path: Path, message: str) -> None:
        """Log once, not at every look, what is wrong with a drop or claim that stays where it is."""
        if path not in self._complained:
            log.error("%s", message)
        self._complained.add(path)

    def _claim(self, drops: list[Path], *, within: str = "") -> None:
        """Move drops into a claim of their own; it is hidden until it is whole, so that nobody hands over a part."""
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        unfinished = self._settings.claimed_folder / f".{name}"
        (unfinished / within).mkdir(parents=True)
        moved = [drop for drop in drops if self._move(drop, unfinished / within / drop.name)]
        if not moved:
            self._remove_empty(unfinished)
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
            self._complain(drop, f"{drop} cannot be claimed: {error.strerror}. Let the scheduler's user write it.")
            return False
        return True

    def _finish_abandoned_claims(self) -> None:
        for path in _folders(self._settings.claimed_folder):
            if not _UNFINISHED.fullmatch(path.name):
                continue
            try:
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                    path.rename(path.with_name(path.name[1:]))
                    log.warning("a claim was left unfinished; it goes on as %s", path.name[1:])
            except OSError as error:
                self._complain(path, f"{path} was left unfinished and cannot be renamed: {error.strerror}.")

    def _hand_over(self) -> list[Job]:
        claims = {path.name: path for path in _folders(self._settings.claimed_folder) if not path.name.startswith(".")}
        handed = jobs.claims_with_a_job(self._line.database, claims)
        made = (self._try_to_submit(claims[name]) for name in sorted(claims.keys() - handed))
        return [job for job in made if job is not None]

    def _try_to_submit(self, claim: Path) -> Job | None:
        """Hand one claim over; one that cannot be read or moved stays, and keeps no other waiting."""
        try:
            return self._submit(claim)
        except OSError as error:
            self._complain(claim, f"{claim} cannot be handed over yet: {error}.")
            return None

    def _submit(self, claim: Path) -> Job | None:
        roots = _folders(claim)
        if not any(look_at(root).files for root in roots):
            self._remove_empty(claim)
            return None
        root = roots[0]
        try:
            return submit(self._line, root, name=_job_name(root), triggered_by=Trigger.INBOX, claim=claim.name)
        except SubmissionError as error:
            place = filing.file_unsubmitted(self._settings, root, error)
            log.error("%s could not become a job and lies in %s now: %s %s", root.name, place, error, error.mend)
            return None

    def _remove_empty(self, claim: Path) -> None:
        """Remove a claim in which no file is; a claim that turns out not to be empty stays."""
        for folder, _, files in os.walk(claim, topdown=False):
            if files:
                self._complain(claim, f"{claim} holds nothing to score, and files that are left alone; it stays there.")
                return
            Path(folder).rmdir()


def prepare_folders(settings: Settings) -> None:
    """Make the folders that drops move through.

    Raises:
        SettingsError: they cannot be made, or lie on several file systems, where no move is atomic.
    """
    try:
        for folder in settings.drop_folders:
            folder.mkdir(parents=True, exist_ok=True)
        devices = {folder.stat().st_dev for folder in settings.drop_folders}
    except OSError as error:
        mend = "Name another home with DIGITLINE_HOME, or mend this one."
        raise SettingsError(f"{error.filename} cannot be made: {error.strerror}.", mend=mend) from error
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


def _folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, without links and whatever else strayed there."""
    with os.scandir(folder) as entries:
        return sorted(folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
