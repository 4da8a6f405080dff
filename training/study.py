"""A search on disk: Optuna's journal in a folder, which one search at a time may write to."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.pruners import BasePruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from core.errors import SettingsError

#: One line for everything that happened to a trial.
JOURNAL = "study.journal"
_NAME = "digitline"
_SETTINGS = "settings"
#: Optuna keeps its own lock, a file, only while it writes a line.
_OPTUNAS_LOCK = f"{JOURNAL}.lock"
_OUR_LOCK = "search.lock"

# The bar tells of every trial already.
optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def opened(folder: Path, settings: Mapping[str, object], *, pruner: BasePruner) -> Iterator[optuna.Study]:
    """Open a search to go on with it, or begin it; what a killed one left behind is put in order first.

    Args:
        folder: where the search is kept; made where it is not there.
        settings: what all trials have in common, as JSON takes it.
        pruner: ends hopeless trials early.

    Raises:
        SettingsError: the search has other settings, is damaged, or is being gone on with by somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _mend(folder)
        study = optuna.create_study(
            storage=_storage(folder), study_name=_NAME, direction="maximize", pruner=pruner, load_if_exists=True
        )
        _check(folder, study, settings)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
        yield study


def read(folder: Path) -> optuna.Study:
    """Read a search; it may be running.

    Raises:
        SettingsError: there is none in the folder, or it is damaged.
    """
    if not (folder / JOURNAL).is_file():
        raise SettingsError(f"There is no search in {folder}.", mend="Name the folder that `digitline tune` printed.")
    try:
        return optuna.load_study(storage=_storage(folder), study_name=_NAME)
    except KeyError as error:
        # A search that was killed in its first moment.
        raise SettingsError(f"The search in {folder} has no trial.", mend="Go on with `digitline tune`.") from error


def _storage(folder: Path) -> JournalStorage:
    path = str(folder / JOURNAL)
    try:
        return JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        # Optuna checks nothing but that every line is JSON.
        raise SettingsError(
            f"{path} is damaged, or no journal of Optuna's.", mend="Remove it to begin anew, or name another folder."
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other searches out; the kernel gives this lock back however the process ends."""
    with (folder / _OUR_LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(
                f"Somebody searches in {folder} already.",
                mend="Wait for its end, or name another folder with --output.",
            ) from error
        yield


def _mend(folder: Path) -> None:
    """Take away what a kill may leave: Optuna's lock, which it would wait on for 30 s, and half a line."""
    (folder / _OPTUNAS_LOCK).unlink(missing_ok=True)
    journal = folder / JOURNAL
    if journal.exists():
        with journal.open("r+b") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)


def _check(folder: Path, study: optuna.Study, settings: Mapping[str, object]) -> None:
    """Refuse to mix trials that do not compare."""
    made = study.user_attrs.get(_SETTINGS)
    if made is None:
        study.set_user_attr(_SETTINGS, dict(settings))
        return
    for name, value in settings.items():
        if made.get(name) != value:
            said = name.replace("_", " ")
            raise SettingsError(
                f"The search in {folder} has other {said}: {made.get(name)}, not {value}.",
                mend="Give the same options as before, or name another folder with --output.",
            )
