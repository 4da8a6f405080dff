"""Celery, Keras and SQLAlchemy as tutorials join them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from benchmarks.speed.candidates import Tutorial
from benchmarks.speed.peer import Measure, Run, count_right
from benchmarks.speed.peers import postgresql
from core.settings import Settings
from digitline import redis_server
from scheduler.folder import list_files

_APP = "benchmarks.speed.peers.tutorial_app"
#: Seconds between two counts of the rows.
_POLL = 0.05


@contextmanager
def opened(peer: Tutorial) -> Iterator[Measure]:
    """Start servers and worker; the worker takes the first folder once its processes have loaded the model."""
    with ExitStack() as stack:
        settings = Settings(home=Path(stack.enter_context(TemporaryDirectory(prefix="digitline-tutorial-"))))
        stack.enter_context(redis_server.running(settings))
        os.environ["TUTORIAL_BROKER"] = settings.broker
        os.environ["TUTORIAL_DATABASE"] = stack.enter_context(postgresql.running())
        app = import_module(_APP)
        app.Base.metadata.create_all(app.engine)
        stack.callback(app.engine.dispose)
        stack.enter_context(_worker(peer))
        yield lambda folder: _measure(folder, peer, app)


def _measure(folder: Path, peer: Tutorial, app: ModuleType) -> Run:
    with Session(app.engine) as session:
        session.execute(delete(app.Prediction))
        session.commit()
    begun = time.perf_counter()
    files = list_files(folder)
    for start in range(0, len(files), peer.images_per_task):
        app.classify.delay(str(folder), files[start : start + peer.images_per_task])
    with app.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalar(select(func.count()).select_from(app.Prediction)) < len(files):
            time.sleep(_POLL)
    seconds = time.perf_counter() - begun
    with Session(app.engine) as session:
        rows = session.execute(select(app.Prediction.path, app.Prediction.label)).all()
    return Run(len(files), seconds, count_right([row.path for row in rows], [row.label for row in rows]))


@contextmanager
def _worker(peer: Tutorial) -> Iterator[None]:
    options = [f"--concurrency={peer.processes}", f"--prefetch-multiplier={peer.prefetch_multiplier}"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "--quiet", "-A", _APP, "worker", "--pool=prefork", *options]
    )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()
