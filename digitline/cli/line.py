"""The verbs that run the line: up, migrate, scheduler, worker, flower."""

from __future__ import annotations

from typing import Annotated

import typer

from core import logs
from core.database import Database
from core.settings import Settings, get_settings
from digitline import embedded, lifeline
from digitline import flower as flower_process
from digitline.setup import prepare_ledger
from scheduler import process as scheduler_process
from worker import process as worker_process


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (up, migrate, scheduler, worker, flower):
        app.command(verb.__name__)(verb)


def up(
    flower: Annotated[bool, typer.Option(help="Run Flower too.")] = True,
    web: Annotated[bool, typer.Option(help="Serve the web page too.")] = True,
) -> None:
    """Run the whole line on this machine: Redis, scheduler, workers, the web page and Flower.

    Drop images or folders into the inbox it names; the results are filed under done/. Ctrl-C stops it, nothing is
    lost, and the next `digitline up` goes on where it was. DIGITLINE_HOME names the folder it lives in.
    """
    raise typer.Exit(embedded.up(get_settings(), flower=flower, web=web))


def migrate() -> None:
    """Create the ledger's tables, or bring them up to date, and register the shipped model."""
    settings = _process()
    prepare_ledger(settings)
    database = Database(settings.database)
    database.check_revision()
    print(f"{database.address} is up to date.")


def scheduler(
    once: Annotated[bool, typer.Option("--once", help="Do everything once and return.")] = False,
) -> None:
    """Run the scheduler alone: it watches the inbox, sends what was lost, files away what is over."""
    scheduler_process.run(_process(), once=once)


def worker(
    concurrency: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
    queues: Annotated[str, typer.Option(help="Queues to serve, the first one first.")] = "express,bulk",
    name: Annotated[str, typer.Option(help="Name of the worker, before its host's.")] = "scorer",
) -> None:
    """Run a worker alone; start as many as there are hosts."""
    worker_process.run(_process(), concurrency=concurrency, queues=queues, name=name)


def flower(
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: DIGITLINE_FLOWER_PORT.")] = None,
) -> None:
    """Run Flower alone: workers, tasks and queues in a browser."""
    flower_process.run(_process(), port=port)


def _process() -> Settings:
    """Set up one process of the line: its settings, its log, its tie to `digitline up`."""
    settings = get_settings()
    logs.set_up(settings.log_level)
    lifeline.end_with_the_line(settings.grace_time)
    return settings
