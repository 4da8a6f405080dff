"""The Celery task around the journey; imported by the pool's parent too, so it imports neither TensorFlow nor OpenCV."""

from __future__ import annotations

import logging
from typing import Any

import redis
from kombu.exceptions import OperationalError

from core.queues import SCORE_BATCH, get_app
from worker import process

log = logging.getLogger(__name__)

app = get_app()


@app.task(bind=True, name=SCORE_BATCH, typing=True)
def score_batch(self: Any, *, batch_id: int) -> str:
    """Score one batch of images.

    Args:
        batch_id: of the ledger; a message says nothing else.

    Returns:
        What happened, in a line that a person reads.
    """
    if type(batch_id) is not int:
        raise TypeError(f"batch_id must be a whole number, not {type(batch_id).__name__}.")

    heard = True

    def tell(done: int, of: int) -> None:
        nonlocal heard
        if not heard:
            return
        try:
            # Flower shows these fields of a running task; the line returned at the end takes their place.
            self.send_event("task-progress", retry=False, result=f"{done} of {of} images")
        except (OperationalError, redis.RedisError, OSError) as error:
            # No reason to fail a batch, nor to wait for Redis again with the next note.
            heard = False
            log.debug("nobody hears of the progress: %s", error)

    told = process.journey().score(batch_id, tell)
    log.info("%s: %s", self.request.kwargsrepr, told)
    return told
