"""What the verbs that make and measure models share: where the data lies, where the result goes, and the bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from core.errors import SettingsError
from core.settings import get_settings
from digitline.bar import step_bar

if TYPE_CHECKING:
    from training.recipe import Progress


def find_data(given: Path | None) -> Path | None:
    """The folder of the data: the one given, else that of the settings; None: Keras downloads MNIST.

    Raises:
        SettingsError: there is no such folder.
    """
    data = given or get_settings().data
    if data is not None and not data.is_dir():
        raise SettingsError(f"There is no folder {data}.", mend="Name the folder of the data with --data.")
    return data


def writable_folder(folder: Path, option: str) -> Path:
    """Make a folder before hours of work whose result it is to take.

    Raises:
        SettingsError: it cannot be made, or not be written to; the message names the option.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written to: {error.strerror}.", mend=f"Name another folder with {option}."
        ) from error


@contextmanager
def step_progress(what: str) -> Iterator[Progress]:
    """A progress bar, as training's functions tell of their steps."""
    with step_bar() as bar:
        task = bar.add_task(what, total=None)

        def note(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=message)

        yield note
