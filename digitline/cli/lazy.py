"""The list of verbs, and how their modules are imported only when they are used.

`digitline --help` needs names and summaries alone, `digitline predict --help` no network; TensorFlow costs seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from core.quiet import without_native_chatter

#: Panel of the help, module, verb and summary. Each module has a `register(app)` that adds its verbs.
VERBS: dict[str, dict[str, dict[str, str]]] = {
    "The line": {
        "digitline.cli.line": {
            "up": "Run the whole line on this machine; prints the inbox and the addresses of its pages.",
        },
        "digitline.cli.demo": {"demo": "Score the sample digits through the line: table, plots, report."},
        "digitline.cli.submit": {"submit": "Hand a folder of images over to the line."},
        "digitline.cli.schedule": {"schedule": "Score folders by a timetable: add, list, remove, run."},
        "digitline.cli.notices": {"notices": "List what hooks are to be told, and tell again what was given up."},
        "digitline.cli.status": {"status": "Show jobs, queues and workers, or one job in detail."},
        "digitline.cli.results": {"results": "Print what was found, image by image."},
        "digitline.cli.page": {"report": "Write one HTML page about a job, with plots and its worst mistakes."},
        "digitline.cli.jobs": {
            "retry": "Score again what was quarantined or cancelled.",
            "cancel": "Stop a job; what is scored stays scored.",
            "pause": "Let nothing more of a job, or of the whole line, be scored until `digitline resume`.",
            "resume": "Let a job that is paused, or the whole line, go on.",
            "priority": "Move a job before all jobs of a lower priority.",
        },
        "digitline.cli.web": {"web": "Serve Digitline's web page: jobs, images, upload, review, models."},
        "digitline.cli.correct": {"correct": "Say what an image shows; training learns from it."},
        "digitline.cli.corrections": {"corrections": "List, export and import what people said of images."},
    },
    "Here and now": {
        "digitline.cli.here": {
            "predict": "Read digits in this process, without queue or database.",
            "explain": "Show every preprocessing step of one image, and the verdict.",
        },
    },
    "Models": {
        "digitline.cli.train": {"train": "Train a model on MNIST."},
        "digitline.cli.evaluate": {"evaluate": "Measure a model on the test digits."},
        "digitline.cli.compare": {"compare": "Measure several methods side by side."},
        "digitline.cli.tune": {"tune": "Search for a better recipe."},
        "digitline.cli.models": {"models": "List, add, promote, roll back and compare models."},
    },
    "Production": {
        "digitline.cli.line": {
            "migrate": "Bring the database up to date.",
            "scheduler": "Run the scheduler alone.",
            "worker": "Run a worker alone.",
            "flower": "Run Flower alone.",
        },
        "digitline.cli.doctor": {"doctor": "Check that everything is in order, and say how to mend what is not."},
        "digitline.cli.backup": {
            "backup": "Write the ledger and its models into one file, while the line runs.",
            "restore": "Bring back a ledger and its models from such a file.",
        },
        "digitline.cli.prune": {"prune": "Remove from the ledger what is known of jobs that ended long ago."},
    },
}


class Later:
    """A module that is imported when something in it is first used."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        with without_native_chatter():
            module = import_module(self._module)
        return getattr(module, name)


def module_of(verb: str) -> str | None:
    """The module that has a verb; None where there is no such verb."""
    for modules in VERBS.values():
        for module, verbs in modules.items():
            if verb in verbs:
                return module
    return None


def load(module: str) -> dict[str, Any]:
    """Import a module of verbs; returns its commands by name."""
    verbs = typer.Typer(add_completion=False)
    import_module(module).register(verbs)
    return dict(typer.main.get_group(verbs).commands)


class LazyGroup(TyperGroup):
    """Lists every verb, and loads the one that is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for panel, modules in VERBS.items():
            for verbs in modules.values():
                for verb, summary in verbs.items():
                    self.add_command(TyperCommand(name=verb, help=summary, rich_help_panel=panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command to run; the one that `get_command` lists stands in for it until here."""
        verb, listed, rest = super().resolve_command(ctx, args)
        module = module_of(verb) if verb is not None else None
        return verb, listed if verb is None or module is None else load(module)[verb], rest
