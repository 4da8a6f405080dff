"""The Celery task around the journey; imported by the pool's parent too, so it imports neither TensorFlow nor OpenCV."""

from __future__ import annotations

import logging
import time
from typing import Any

import redis
from celery.exceptions import Ignore
from kombu.exceptions import OperationalError

from core.errors import ImagesQuarantined, LedgerUnreachable
from core.queues import SCORE_BATCH, get_app
from worker import process

log = logging.getLogger(__name__)

#: Largest number that a batch can have, in every database.
_LAST_BATCH = 2**31 - 1

app = get_app()


# The log has heard of an outage when it began, so that no traceback is wanted of each batch.
@app.task(bind=True, name=SCORE_BATCH, typing=True, throws=(LedgerUnreachable,))
def score_batch(self: Any, *, batch_id: int) -> str:
    """Score one batch of images.

    Args:
        batch_id: of the ledger; a message says nothing else.

    Returns:
        What happened, in a line that a person reads.

    Raises:
        Ignore: all is told that there is to tell: it is recorded, and some of its images are quarantined.
    """
    if type(batch_id) is not int:
        raise TypeError(f"batch_id must be a whole number, not {type(batch_id).__name__}.")
    if not 1 <= batch_id <= _LAST_BATCH:
        raise ValueError(f"batch_id must be between 1 and {_LAST_BATCH}, not {batch_id}.")

    heard = True

    def say(event: str, **fields: object) -> None:
        nonlocal heard
        if not heard:
            return
        try:
            self.send_event(event, retry=False, **fields)
        except (OperationalError, redis.RedisError, OSError) as error:
            # No reason to fail a batch, nor to wait for Redis again with the next note.
            heard = False
            log.debug("nobody hears of the progress: %s", error)

    def tell(done: int, of: int) -> None:
        # Flower shows these fields of a running task; the line returned at the end takes their place.
        say("task-progress", result=f"{done} of {of} images")

    started = time.monotonic()
    try:
        told = process.journey().score(batch_id, tell)
    except ImagesQuarantined as error:
        log.warning("%s: %s", self.request.kwargsrepr, error)
        # Red in Flower, for somebody has to look; raised, Celery would log it as a bug of ours, with a traceback.
        say("task-failed", exception=repr(error), runtime=time.monotonic() - started)
        raise Ignore from error
    log.info("%s: %s", self.request.kwargsrepr, told)
    return told
