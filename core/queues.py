"""The Celery app, the names of queues and tasks, and send_batch(), the only sender; a message is a batch id."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import redis
from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from core.crash import crash_point
from core.errors import QueueUnreachable
from core.settings import Settings, get_settings
from core.vocabulary import Batch, QueueName

SCORE_BATCH = "worker.score_batch"

#: Seconds to wait for Redis before it counts as unreachable.
CONNECT_TIMEOUT = 5.0

#: Where kombu keeps the messages that a worker holds and has not acknowledged.
_UNACKED = "unacked"


def make_app(settings: Settings) -> Celery:
    """The Celery app of these settings; see docs/decisions/0003-celery-settings.md for the reason of each."""
    app = Celery("digitline", broker=settings.broker, include=["worker.tasks"], set_as_current=False)
    app.conf.update(_delivery(), **_limits(settings), **_observation(), **_transport(settings))
    return app


@cache
def get_app() -> Celery:
    """The Celery app of this process."""
    return make_app(get_settings())


def send_batches(app: Celery, batches: Iterable[Batch]) -> int:
    """Send one message per batch; returns how many.

    Raises:
        QueueUnreachable: Redis stopped answering; the sweep sends what is left.
    """
    sent = 0
    try:
        with app.producer_or_acquire() as producer:
            for batch in batches:
                crash_point("producer.sending")
                _send(app, batch, producer)
                sent += 1
    except (OperationalError, redis.RedisError, OSError) as error:
        raise unreachable(error) from error
    return sent


def _send(app: Celery, batch: Batch, producer: Any) -> None:
    app.send_task(
        SCORE_BATCH,
        kwargs={"batch_id": batch.id},
        # For people who look at Flower; the worker reads the id alone.
        argsrepr="",
        kwargsrepr=describe(batch),
        queue=batch.queue.value,
        producer=producer,
        ignore_result=True,
        retry_policy={"max_retries": 2},
    )


def describe(batch: Batch) -> str:
    """The batch in words a person reads: job, n of N, number of images."""
    name = batch.job_name.encode("unicode_escape", "backslashreplace").decode("ascii")
    images = "1 image" if batch.size == 1 else f"{batch.size} images"
    return f"job {batch.job_id} '{name}', batch {batch.sequence}/{batch.of}, {images}"


class Inspector:
    """Looks into Redis: is it there, how deep are the queues, which batches do they hold."""

    def __init__(self, settings: Settings) -> None:
        """Remember where Redis is.

        Raises:
            QueueUnreachable: the URL is none of Redis.
        """
        url = settings.broker.replace("redis+socket://", "unix://", 1)
        self._prefix = settings.key_prefix
        timeouts = {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_timeout": CONNECT_TIMEOUT}
        try:
            self._redis = redis.Redis.from_url(url, **timeouts)
        except ValueError:  # which may quote a password
            raise QueueUnreachable("DIGITLINE_BROKER_URL is not the URL of a Redis.") from None

    def ping(self) -> None:
        """Raises QueueUnreachable where Redis does not answer."""
        self._ask(self._redis.ping)

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()

    def depths(self) -> dict[QueueName, int]:
        """Messages that wait, by queue."""
        return {queue: int(self._ask(self._redis.llen, self._key(queue.value))) for queue in QueueName}

    def waiting(self) -> set[int]:
        """Ids of the batches whose message waits in a queue."""
        return _batch_ids(
            raw for queue in QueueName for raw in self._ask(self._redis.lrange, self._key(queue.value), 0, -1)
        )

    def held(self) -> set[int]:
        """Ids of the batches whose message is in a worker's hands; those of a dead worker too, for a long time."""
        return _batch_ids(self._ask(self._redis.hvals, self._key(_UNACKED)))

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _ask(self, question: Callable[..., Any], *about: object) -> Any:
        try:
            return question(*about)
        except (redis.RedisError, OSError) as error:
            raise unreachable(error) from error


def unreachable(error: Exception) -> QueueUnreachable:
    """The error that says in our words what a library said in its own."""
    return QueueUnreachable(f"Redis does not answer: {str(error).rstrip('.')}.")


def _batch_ids(messages: Iterable[bytes]) -> set[int]:
    return {batch_id for batch_id in map(_batch_id, messages) if batch_id is not None}


def _batch_id(raw: bytes) -> int | None:
    """The batch a message is about; None where it is not one of ours, whatever else it is."""
    try:
        message = json.loads(raw)
        if isinstance(message, list):  # as kombu keeps one that a worker holds: message, exchange, routing key
            message = message[0]
        body = message["body"]
        if message["properties"]["body_encoding"] == "base64":
            body = base64.b64decode(body)
        _args, kwargs, _embed = json.loads(body)
        batch_id = kwargs["batch_id"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return batch_id if type(batch_id) is int else None


def _delivery() -> dict[str, Any]:
    return {
        "task_queues": [Queue(name.value, Exchange(name.value), routing_key=name.value) for name in QueueName],
        "task_default_queue": QueueName.BULK.value,
        "task_create_missing_queues": False,
        "task_acks_late": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "task_reject_on_worker_lost": False,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
    }


def _limits(settings: Settings) -> dict[str, Any]:
    return {
        "task_soft_time_limit": settings.soft_time_limit,
        "task_time_limit": settings.soft_time_limit + settings.soft_time_limit // 4 + 1,
        "worker_soft_shutdown_timeout": settings.grace_time / 2,
        "worker_proc_alive_timeout": 120.0,
        "worker_max_memory_per_child": 2_000_000,  # KiB: a leak recycles the child before it hurts the host
    }


def _observation() -> dict[str, Any]:
    return {
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "task_track_started": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def _transport(settings: Settings) -> dict[str, Any]:
    return {
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": CONNECT_TIMEOUT,
        "broker_transport_options": {
            # In the order the queues are named: express before bulk.
            "queue_order_strategy": "priority",
            "visibility_timeout": settings.visibility_timeout,
            "global_keyprefix": settings.key_prefix,
            "socket_keepalive": True,
            "socket_timeout": 30.0,
            "socket_connect_timeout": CONNECT_TIMEOUT,
            # It would have redis-py connect anew beneath a listening worker, which then waits for ever on a connection
            # that nothing was asked of; an error has Celery take up everything anew.
            "retry_on_timeout": False,
            "health_check_interval": 25,
        },
    }
