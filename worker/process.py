"""A worker process: starts the pool, and in each child binds the threads and loads the model once, after the fork."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import signal
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.platforms import EX_FAILURE
from celery.worker import state
from redis.connection import AbstractConnection

from core.database import Database
from core.errors import DigitlineError, LedgerUnreachable, ModelNotFound
from core.ledger import models
from core.queues import get_app
from core.quiet import without_native_chatter
from core.settings import Settings, get_settings
from core.vocabulary import Model, QueueName
from worker.start import start

if TYPE_CHECKING:
    from classifier.predict import Predictor
    from worker.journey import Journey

log = logging.getLogger(__name__)

#: What a child says once it has loaded and warmed the model.
READY = "is ready to score"

#: Models that a child keeps loaded: that of the jobs submitted now, that of those before, and the challenger.
_LOADED = 3

#: By what a child tells the pool's parent that no batch can be scored here.
_HOPELESS = signal.SIGUSR2

#: One thread each: the pool has a process per core, and threads would fight over the cores.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def run(settings: Settings, *, concurrency: int | None = None, queues: str | None = None, name: str = "scorer") -> None:
    """Run a worker until it is told to stop.

    Args:
        settings: of this process.
        concurrency: processes; default: as the settings say.
        queues: names, comma between them; default: all.
        name: of the worker, before its host's.

    Raises:
        RevisionMismatch: the ledger's schema is not this version's.
        LedgerUnreachable: the database does not answer.
        SystemExit: with code 1, once a child has found that the model cannot be loaded.
    """
    database = Database(settings.database)
    database.check_revision()
    database.close()  # no connection may cross the fork
    _set_environment(settings)
    arguments = [
        "--quiet",
        "worker",
        f"--hostname={name}@%h",
        f"--concurrency={concurrency or settings.processes}",
        f"--queues={queues or ','.join(queue.value for queue in QueueName)}",
        f"--loglevel={settings.log_level}",
        "--pool=prefork",
        "--without-gossip",
        "--without-mingle",
    ]
    signal.signal(_HOPELESS, _shut_down)
    get_app().worker_main(arguments)
    # Celery keeps the code to itself, and whoever supervises the worker must see that it failed.
    if state.should_stop == EX_FAILURE:
        raise SystemExit(EX_FAILURE)


def _shut_down(*_: object) -> None:
    """Have Celery shut down as after SIGTERM, but as a failure."""
    state.should_stop = EX_FAILURE


@signals.worker_process_init.connect
def _warm_up(**_: Any) -> None:
    """Load the model in production before the first batch comes."""
    try:
        _leave_redis_to_the_parent()
        here = journey()
        model = _in_production(here.database)
        here.predictor(model.id)
        log.info("%s %s by %s", model.name, READY, here.settings.runtime)
    except LedgerUnreachable as error:
        log.warning("the first batch has to load its model: %s", error)
    except Exception as error:
        # Celery logs and swallows what this hook raises, and the pool would start child after child for nothing.
        told = _in_full(error)
        log.critical("no batch can be scored here, so the worker ends: %s", told, exc_info=not _is_ours(error))
        os.kill(os.getppid(), _HOPELESS)
        raise SystemExit(1) from error


def _leave_redis_to_the_parent() -> None:
    """Close this child's copies of the connections that the parent had to Redis when it forked.

    A child that takes another's place inherits them all, and kombu, which forgets them after the fork, leaves them open.
    """
    # redis-py ends a connection only in the process that made it, and elsewhere closes the copy. kombu's own version
    # would also take it off the epoll that the fork shares, and the parent would hear nothing any more.
    for inherited in gc.get_objects():
        if issubclass(type(inherited), AbstractConnection):
            AbstractConnection.disconnect(inherited)  # type: ignore[no-untyped-call]


def _in_production(database: Database) -> Model:
    model = models.in_production(database)
    if model is None:
        raise ModelNotFound("No model is in production.", mend="`digitline migrate` puts the shipped one there.")
    return model


def _is_ours(error: Exception) -> bool:
    return isinstance(error, DigitlineError)


def _in_full(error: Exception) -> str:
    """What went wrong, and what a person can do about it."""
    return f"{error} {error.mend}".strip() if isinstance(error, DigitlineError) else str(error)


@cache
def journey() -> Journey:
    """The journey of this process, made once."""
    settings = get_settings()
    # Imported here, in the child: TensorFlow does not survive a fork, so the pool's parent must never load it.
    with without_native_chatter(), start.part("import"):
        station = importlib.import_module("worker.journey")
        importlib.import_module("classifier.predict").bind_to_one_thread(settings.runtime)
    database = Database(settings.database)
    name = f"{os.uname().nodename}:{os.getpid()}"

    # By id, which a job is pinned to: a promotion reaches the next job's batches, and no batch of a job before.
    @lru_cache(maxsize=_LOADED)
    def predictor(model_id: int) -> Predictor:
        return _load(models.get(database, model_id), settings)

    loaded: Journey = station.Journey(database, settings, predictor, name)
    return loaded


def _load(model: Model, settings: Settings) -> Predictor:
    predict = importlib.import_module("classifier.predict")
    with without_native_chatter():
        # Refused, before anything parses it, where the folder does not hold the very model that the ledger names.
        predictor: Predictor = predict.Predictor(
            Path(model.location), batch_size=settings.images_at_once, sha256=model.sha256, runtime=settings.runtime
        )
    start.add(predictor.start)
    return predictor


def _set_environment(settings: Settings) -> None:
    """What the libraries read when they are imported, so before any child does."""
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(settings.max_pixels)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # one process per core, and no GPU is shared among them
