"""The progress bars: images, images a second and time left; on stderr, so that stdout stays a script's."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class ImagesPerSecond(ProgressColumn):
    """The rate of a bar that counts images."""

    def render(self, task: Task) -> Text:
        """Show the rate, once it is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} images/s" if speed else "- images/s", style="progress.data.speed")


def image_bar(*, shown: bool = True) -> Progress:
    """A bar that counts images; where it is not shown, it prints nothing at all."""
    return _bar(ImagesPerSecond(), shown=shown)


def step_bar() -> Progress:
    """A bar that counts the steps of training."""
    return _bar()


def _bar(*columns: ProgressColumn, shown: bool = True) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
    )
