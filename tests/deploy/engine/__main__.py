"""Run the steps, tell how each went, and leave nothing behind but the base images."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from core.errors import DigitlineError
from tests.deploy.engine import bases, drops, monitoring, needs, steps, upgrade
from tests.deploy.engine.docker import CommandFailed, Docker, engine
from tests.deploy.engine.scene import Scene
from tests.deploy.engine.stack import LINE, Stack

#: Exit codes: a step failed; the machine lacks what is needed; somebody ended the run.
_FAILED, _MISSING, _TERMINATED = 1, 2, 143
_ROOT = Path("/var/lib/digitline-deploy-test")

STEPS: tuple[Callable[[Scene], None], ...] = (
    steps.build,
    steps.start,
    steps.seal,
    steps.score,
    steps.scale,
    steps.kill,
    steps.stop_by_hand,
    steps.freeze,
    steps.come_back,
    upgrade.upgrade,
    monitoring.watch,
)


def main(
    until: Annotated[str | None, typer.Option(help="Last step to run, by its name.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Step to leave out, by its name; several.")] = None,
    images: Annotated[int, typer.Option(min=500, max=10_000, help="Digits in a drop.")] = 2000,
    root: Annotated[Path, typer.Option(help="Folder of an own daemon: base images stay there.")] = _ROOT,
    keep: Annotated[bool, typer.Option("--keep", help="Leave stack and daemon running, to look at them.")] = False,
    output: Annotated[Path | None, typer.Option(help="File to write the figures to, as JSON.")] = None,
) -> None:
    """Prove docker-compose.yml on a real engine.

    Exit code 1 where a step failed, 2 where this machine lacks root, Docker or debootstrap.
    """
    console = Console(highlight=False)
    names = [step.__name__ for step in STEPS]
    for name in [*(skip or []), *([until] if until else [])]:
        if name not in names:
            raise typer.BadParameter(f"There is no step {name!r}; there are {', '.join(names)}.")
    try:
        needs.check()
    except needs.Missing as missing:
        console.print(str(missing), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(_MISSING) from missing
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # else nobody tidied up
    os.nice(19)  # what starts here shares the machine with others, and hands this on
    chosen = STEPS[: names.index(until) + 1] if until else STEPS
    chosen = tuple(step for step in chosen if step.__name__ not in (skip or []))
    began = time.monotonic()
    figures = _run(chosen, console, root, images, keep=keep)
    figures["in all"] = f"{time.monotonic() - began:.0f} s"
    for name, value in figures.items():
        console.print(f"  {name}: {value}")
    if output is not None:
        output.write_text(json.dumps(figures, indent=2) + "\n")


def _run(
    chosen: tuple[Callable[[Scene], None], ...], console: Console, root: Path, images: int, *, keep: bool
) -> dict[str, str]:
    def say(what: str) -> None:
        console.print(f"  {what}", style="dim", markup=False, soft_wrap=True)

    with ExitStack() as closing:
        console.print("Engine")
        docker = closing.enter_context(engine(root, say))
        standins = bases.provide(docker, bases.wanted(monitoring=True), say)
        stack = Stack(docker)
        closing.callback(_tidy, docker, stack, standins)
        stack.tidy()  # what a run that was killed has left
        scene = Scene(docker, stack, drops.make(stack.folder / "digits", images), say)
        for number, step in enumerate(chosen, 1):
            console.print(f"[{number}/{len(chosen)}] {step.__doc__}", markup=False, soft_wrap=True)
            began = time.monotonic()
            try:
                step(scene)
            except (AssertionError, CommandFailed, DigitlineError, OSError) as error:
                console.print(f"failed: {error}", style="red", markup=False, soft_wrap=True)
                _show(console, stack)
                if keep:
                    _wait(console, docker)
                raise typer.Exit(_FAILED) from error
            say(f"passed in {time.monotonic() - began:.0f} s")
        if keep:
            _wait(console, docker)
        return scene.figures


def _show(console: Console, stack: Stack) -> None:
    """The end of what each container wrote."""
    for name in ("migrate", *LINE):
        for container in stack.containers(name, stopped=True):
            console.print(
                f"--- {name}, {container.state}, {container.health}", style="red", markup=False, soft_wrap=True
            )
            console.print(container.logs(), style="dim", markup=False, soft_wrap=True)


def _wait(console: Console, docker: Docker) -> None:
    address = f"DOCKER_HOST={docker.host} " if docker.host else ""
    console.print(f"Look at it by `{address}docker ps`. Enter ends it.", markup=False)
    sys.stdin.readline()


def _tidy(docker: Docker, stack: Stack, standins: list[str]) -> None:
    """Remove the stack, and from a daemon that is not ours every image as well; ours keeps them as a cache."""
    stack.remove()
    if docker.own:  # what is left of a build that somebody ended
        docker("container", "prune", "--force")
    for name in [] if docker.own else ["digitline:deploy-test", upgrade.NEXT, *standins]:
        if docker.has_image(name):
            docker("image", "rm", "--force", name)


if __name__ == "__main__":
    typer.run(main)
