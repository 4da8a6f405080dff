"""The Celery app, the names of queues and tasks, and send_batch(), the only sender; a message is a batch id."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import redis
from celery import Celery
from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from core.crash import crash_point
from core.errors import QueueUnreachable, QueueUnwritable, SettingsError
from core.plain import printable
from core.settings import Settings, get_settings
from core.vocabulary import Batch, QueueName

SCORE_BATCH = "worker.score_batch"

#: Seconds to wait for Redis before it counts as unreachable.
CONNECT_TIMEOUT = 5.0

#: Where kombu keeps the messages that a worker holds and has not acknowledged.
_UNACKED = "unacked"


def make_app(settings: Settings) -> Celery:
    """The Celery app of these settings; see docs/decisions/0003-celery-settings.md for the reason of each.

    Raises:
        QueueUnreachable: the URL of Redis is none.
        SettingsError: it has a parameter that Redis does not know.
    """
    _check_url(settings)
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
        # Each sending has one of its own: what is revoked in Flower by its id is this message, not the batch.
        task_id=f"job-{batch.job_id}-batch-{batch.sequence}-{secrets.token_hex(4)}",
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
    images = "1 image" if batch.size == 1 else f"{batch.size} images"
    return f"job {batch.job_id} '{printable(batch.job_name)}', batch {batch.sequence}/{batch.of}, {images}"


class Description(NamedTuple):
    """What `describe` says of a batch, read from its words."""

    job_id: int
    #: Of the job, as a terminal prints it.
    job_name: str
    sequence: int
    of: int
    #: Number of images.
    size: int


#: The argument that Python names where a function does not know it.
_NAMED_ARGUMENT = re.compile(r"'\w+'$")
_DESCRIPTION = re.compile(r"job (\d+) '(.*)', batch (\d+)/(\d+), (\d+) images?", re.ASCII)


def read_description(words: str) -> Description | None:
    """Read what `describe` wrote; None where somebody else did."""
    found = _DESCRIPTION.fullmatch(words)
    if found is None:
        return None
    job_id, name, sequence, of, size = found.groups()
    return Description(int(job_id), name, int(sequence), int(of), int(size))


class Inspector:
    """Looks into Redis: is it there, how deep are the queues, which batches do they hold."""

    def __init__(self, settings: Settings) -> None:
        """Remember where Redis is.

        Raises:
            QueueUnreachable: the URL is none of Redis.
            SettingsError: it has a parameter that Redis does not know.
        """
        url = settings.broker.replace("redis+socket://", "unix://", 1)
        self._prefix = settings.key_prefix
        timeouts = {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_timeout": CONNECT_TIMEOUT}
        _check_url(settings)
        with _said_in_our_words():
            self._redis = redis.Redis.from_url(url, **timeouts)
            # Made, not connected: what follows a `?` in the URL is looked at no sooner.
            pool = self._redis.connection_pool
            pool.connection_class(**pool.connection_kwargs)

    def ping(self) -> None:
        """Raises QueueUnreachable where Redis does not answer."""
        self._ask(self._redis.ping)

    def try_to_write(self) -> None:
        """Raises QueueUnwritable where Redis takes nothing, and QueueUnreachable where it does not answer."""
        self._ask(lambda: self._redis.set(self._key("room"), "?", px=1))

    def info(self) -> dict[str, Any]:
        """What Redis says of itself, as its INFO names it; with `save` where it may be asked."""
        told: dict[str, Any] = self._ask(self._redis.info)
        try:
            told.update(self._ask(self._redis.config_get, "save"))
        except QueueUnreachable as error:
            # A server that is rented often keeps its configuration to itself.
            told["save"] = f"not told: {error}"
        return told

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()

    def depths(self) -> dict[QueueName, int]:
        """Messages that wait, by queue."""
        with self._redis.pipeline(transaction=False) as asked:
            for queue in QueueName:
                asked.llen(self._key(queue.value))
            return dict(zip(QueueName, self._ask(asked.execute), strict=True))

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


def _check_url(settings: Settings) -> None:
    """Have Celery's transport read the URL, which it would otherwise do when it connects."""
    with _said_in_our_words():
        Connection(settings.broker)


@contextmanager
def _said_in_our_words() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError):  # which may quote a password
        raise QueueUnreachable("DIGITLINE_BROKER_URL is not the URL of a Redis.") from None
    except TypeError as error:
        named = _NAMED_ARGUMENT.search(str(error))
        told = f"DIGITLINE_BROKER_URL has a parameter that Redis does not know: {named[0] if named else 'after the ?'}."
        raise SettingsError(told, mend="Take it out of the URL.") from error


def unreachable(error: Exception) -> QueueUnreachable:
    """The error that says in our words what a library said in its own."""
    # What kombu raises says what redis-py did as its cause.
    said = (error, error.__cause__)
    # Its memory is full, it is a copy that only reads, or, for which redis-py has no class, its disk is full.
    if any(isinstance(one, OutOfMemoryError | ReadOnlyError) or "MISCONF" in str(one) for one in said):
        return QueueUnwritable(f"Redis takes nothing: {str(error).rstrip('.')}.")
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


def hard_time_limit(settings: Settings) -> int:
    """Seconds after which the child that works on a batch is killed."""
    return settings.soft_time_limit + settings.soft_time_limit // 4 + 1


def _limits(settings: Settings) -> dict[str, Any]:
    return {
        "task_soft_time_limit": settings.soft_time_limit,
        "task_time_limit": hard_time_limit(settings),
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
