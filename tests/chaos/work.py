"""What arrives while the line suffers: folders in the inbox and from scripts, some with spoilt or deadly images."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from core.crash import ALWAYS
from core.errors import DigitlineError
from core.vocabulary import Trigger
from scheduler.producer import submit
from tests.chaos.scene import Scene

#: Images in a folder that arrives.
_SIZES = (1, 70)
#: Seconds until a script that was told of an error tries again; a server that is gone says so at once.
_AGAIN_AFTER = 0.5


@dataclass(frozen=True, slots=True)
class Arrival:
    """A folder that was handed over, and what must come of it."""

    name: str
    expected: dict[str, int | str | None]
    #: Whether there must be a job; a script that was told of an error may have made one or not.
    certain: bool


class Sender:
    """Makes folders of a pool of images and hands them over."""

    def __init__(self, scene: Scene, pool: Path, labels: dict[str, int | str | None], rng: random.Random) -> None:
        """Prepare.

        Args:
            scene: where to.
            pool: folder of class folders of images.
            labels: by path below the pool, the label that a quiet run gave.
            rng: decides.
        """
        self._scene, self._pool, self._labels, self._rng = scene, pool, labels, rng
        self._count = 0
        self.arrivals: list[Arrival] = []

    def send(self) -> None:
        """Make one folder and hand it over."""
        self._count += 1
        name = f"arrival-{self._count:04}"
        folder = self._scene.folder / "made" / name
        expected = self._fill(folder)
        if self._rng.random() < 0.5:
            self._drop(folder)
            self.arrivals.append(Arrival(name, expected, certain=True))
        else:
            self._submit(folder, expected)

    def _fill(self, folder: Path) -> dict[str, int | str | None]:
        chosen = self._rng.sample(sorted(self._labels), self._rng.randint(*_SIZES))
        expected: dict[str, int | str | None] = {}
        for path in chosen:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._pool / path, folder / path)
            expected[path] = self._labels[path]
        digit = Path(chosen[0])
        if self._rng.random() < 0.2:
            cut = digit.with_name(f"cut-{self._count}.png")
            (folder / cut).write_bytes((folder / digit).read_bytes()[:100])
            expected[cut.as_posix()] = None
        if self._rng.random() < 0.1:
            deadly = digit.with_name(f"deadly-{self._count}.png")
            shutil.copyfile(folder / digit, folder / deadly)
            assert self._scene.settings.crash_points is not None
            point = f"look.{deadly.as_posix()}".replace("/", "_")
            (self._scene.settings.crash_points / point).write_text(ALWAYS)
            expected[deadly.as_posix()] = None
        return expected

    def _drop(self, folder: Path) -> None:
        inbox = self._scene.settings.inbox_folder
        inbox.mkdir(parents=True, exist_ok=True)
        if self._rng.random() < 0.5:
            shutil.copytree(folder, inbox / folder.name)
        else:
            folder.rename(inbox / folder.name)

    def _submit(self, folder: Path, expected: dict[str, int | str | None]) -> None:
        """As a script that tries again until it is told that its job is there."""
        for attempt in range(1, 100):
            name, line = f"{folder.name}-try-{attempt}", self._scene.line()
            try:
                submit(line, folder, name=name, triggered_by=Trigger.SCRIPT)
            except DigitlineError:
                self.arrivals.append(Arrival(name, expected, certain=False))
                time.sleep(_AGAIN_AFTER)
            else:
                self.arrivals.append(Arrival(name, expected, certain=True))
                return
            finally:
                line.close()
        raise AssertionError(f"{folder.name} could not be submitted.")
