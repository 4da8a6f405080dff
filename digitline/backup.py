"""Backup and restore: the ledger and the models that it knows, in one file.

Redis needs none: it only wakes workers up, and the sweep sends every open batch again that it does not hold. Images
are in none either: they lie where their senders put them, and unfinished jobs need them under the same paths.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from classifier.artifact import CARD, check_files, model_sha256, read_card, shipped_model
from core.database import Database
from core.errors import ArtifactError, DigitlineError, LedgerError, LineError, RevisionMismatch
from core.ledger import jobs, models
from core.settings import Settings
from core.vocabulary import Model
from digitline import archive, dump
from digitline.archive import LEDGERS, MODELS, Manifest
from digitline.embedded import running_line
from digitline.setup import refuse_drops

_NEW_PLACE = "Name another home with DIGITLINE_HOME, or an empty database with DIGITLINE_DATABASE_URL."


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was written."""

    path: Path
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Restored:
    """A ledger that is back."""

    #: Where it is, without a password.
    ledger: str
    #: Where each model is read from, by the SHA-256 of its card.
    models: dict[str, Path]
    manifest: Manifest


def back_up(settings: Settings, output: Path) -> Backup:
    """Write the ledger, as it is at one moment, and the folders of its models into one file, while the line runs.

    Args:
        settings: name the ledger.
        output: the file, which must not be there yet; or a folder, in which it is named after the moment.

    Raises:
        DigitlineError: the file is there or cannot be written, or PostgreSQL's `pg_dump` is missing or failed.
        RevisionMismatch, LedgerUnreachable: the ledger cannot be read by this version.
        ArtifactError: the model in production or the challenger is damaged or gone.
    """
    database = Database(settings.database)
    database.check_revision()
    revision = database.refuse_unknown_revision() or ""
    if output.is_dir():
        output /= f"digitline-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
    if output.exists():
        raise DigitlineError(f"{output} is there already.", mend="A backup takes no other's place; name a new file.")
    try:
        with archive.writing(output) as writer, tempfile.TemporaryDirectory(prefix=".", dir=output.parent) as scratch:
            with dump.of_ledger(database, Path(scratch)) as content:
                writer.add(LEDGERS[database.url.get_backend_name()], content)
            # After the ledger: models come and never go, so all that the ledger knows are among them.
            left_out = {model.sha256: why for model in models.every(database) if (why := _add_model(writer, model))}
            return Backup(output, writer.seal(revision, left_out))
    finally:
        database.close()


def restore(settings: Settings, path: Path) -> Restored:
    """Bring back a ledger and its models; nothing is changed before every part is found to be what it was.

    Args:
        settings: name the ledger, which must hold no job yet, and the home, which takes the models.
        path: the backup.

    Raises:
        DigitlineError: the backup is damaged, foreign or of another kind of database; or `pg_restore` is missing.
        RevisionMismatch: a newer Digitline wrote it, or the ledger that is there is another version's.
        LedgerError: that ledger holds jobs.
        ArtifactError: a model is damaged, or would lie where people drop their images.
        LineError: a line runs in this home.
    """
    database = Database(settings.database)
    try:
        with archive.reading(path) as reader:
            _refuse_unsuitable(reader.manifest, path, database)
            _refuse_losses(settings, database)
            with tempfile.TemporaryDirectory(prefix=".restore-", dir=_roomy_folder(settings, database)) as scratch:
                unpacked = Path(scratch)
                reader.unpack(unpacked)
                places = {sha256: _place(settings, unpacked, sha256) for sha256 in reader.manifest.models}
                _bring_back(database, unpacked, reader.manifest, places)
        return Restored(database.address, places, reader.manifest)
    except OSError as error:
        raise DigitlineError(f"{path} cannot be restored: {error.strerror or error}: {error.filename}.") from error
    finally:
        database.close()


def _add_model(writer: archive.Writer, model: Model) -> str | None:
    """Add a model's folder; returns why it is left out, where nothing is scored by it any more."""
    folder = Path(model.location)
    try:
        card = read_card(folder, sha256=model.sha256)
        check_files(folder, card)
    except ArtifactError as error:
        if model.alias is not None:
            raise
        return str(error)
    for name in (CARD, *(one.file for one in card.files)):
        with (folder / name).open("rb") as content:
            writer.add(f"{MODELS}/{model.sha256}/{name}", content)
    return None


def _refuse_unsuitable(manifest: Manifest, path: Path, database: Database) -> None:
    kind = next(kind for kind, name in LEDGERS.items() if name == manifest.ledger)
    if kind != database.url.get_backend_name():
        mend = "A ledger does not change its kind: name one of that kind with DIGITLINE_DATABASE_URL."
        raise DigitlineError(f"{path} holds a ledger of {kind}.", mend=mend)
    scripts = ScriptDirectory.from_config(database.alembic_config())
    if manifest.revision not in {script.revision for script in scripts.walk_revisions()}:
        raise RevisionMismatch(
            f"{path} is at revision {manifest.revision}, which this Digitline does not know.",
            mend=f"Install version {manifest.digitline}, which wrote it, or a newer one.",
        )


def _refuse_losses(settings: Settings, database: Database) -> None:
    """Refuse where something would be overwritten that nobody could bring back."""
    line = running_line(settings)
    if line is not None:
        raise LineError(f"A line runs in {settings.home_folder} (process {line}).", mend=f"Stop it. {_NEW_PLACE}")
    if _is_empty(database):
        return
    database.check_revision()
    if jobs.newest(database, 1):
        raise LedgerError(f"The ledger {database.address} holds jobs, and none is ever overwritten.", mend=_NEW_PLACE)


def _is_empty(database: Database) -> bool:
    if not database.sqlite:
        return database.refuse_unknown_revision() is None
    ledger = Path(database.url.database or "")
    return not ledger.exists() or ledger.stat().st_size == 0


def _roomy_folder(settings: Settings, database: Database) -> Path:
    """Where the parts are unpacked: beside a SQLite ledger, so that it can be renamed into its place."""
    folder = Path(database.url.database or "").absolute().parent if database.sqlite else settings.home_folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _place(settings: Settings, unpacked: Path, sha256: str) -> Path:
    """Put a model where it is read from; returns the folder.

    The one that this version ships is read from there, so that the next release's may succeed it.
    """
    source = unpacked / MODELS / sha256
    card = read_card(source, sha256=sha256)
    check_files(source, card)
    if model_sha256(shipped_model()) == sha256:
        return shipped_model()
    plain = re.sub(r"[^A-Za-z0-9]+", "-", card.name)[:40].strip("-")
    folder = settings.home_folder / "models" / f"{plain}-{sha256[:12]}"
    refuse_drops(folder, settings)
    if folder.exists():
        check_files(folder, read_card(folder, sha256=sha256))
        return folder
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft)
    draft.rename(folder)
    return folder


def _bring_back(database: Database, unpacked: Path, manifest: Manifest, places: dict[str, Path]) -> None:
    """Put the ledger in place: at this version's revision, with the models where they are now."""
    ledger = unpacked / manifest.ledger
    if not database.sqlite:
        dump.load_postgresql(database, ledger, manifest.revision)
        _settle_in(database, places)
        return
    draft = Database(f"sqlite:///{ledger}")
    _settle_in(draft, places)
    draft.close()
    target = Path(database.url.database or "")
    database.close()
    # The logs of the ledger that was there would be taken for the new one's.
    for rest in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + rest).unlink(missing_ok=True)
    ledger.replace(target)


def _settle_in(database: Database, places: dict[str, Path]) -> None:
    command.upgrade(database.alembic_config(), "head")
    for sha256, folder in places.items():
        known = models.known_as(database, sha256)
        if known is not None:
            models.register(database, name=known.name, sha256=sha256, location=str(folder), card=known.card)
