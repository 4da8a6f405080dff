"""Whether the line is alive: how deep the queues are, and which workers answer."""

from __future__ import annotations

from dataclasses import dataclass

import redis
from kombu.exceptions import OperationalError

from core.errors import QueueUnreachable
from core.queues import unreachable
from scheduler.producer import Line

#: Seconds in which a worker must answer; all of them are waited for, since nobody knows how many there are.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class WorkerPulse:
    """A worker that answered."""

    name: str
    #: Processes that score, of which each holds a model; None where the worker does not say.
    processes: int | None


@dataclass(frozen=True, slots=True)
class Pulse:
    """What Redis and the workers answered."""

    #: Messages that wait, by queue; None where Redis does not answer.
    depths: dict[str, int] | None
    #: By name; None where Redis does not answer.
    workers: list[WorkerPulse] | None
    #: Why Redis could not be asked, and what to do about it.
    problem: str | None = None


def feel(line: Line) -> Pulse:
    """Ask Redis and the workers; where Redis is away, the answer says so."""
    try:
        depths = {queue.value: depth for queue, depth in line.inspector.depths().items()}
        return Pulse(depths, _workers(line))
    except QueueUnreachable as error:
        return Pulse(None, None, f"{error} {error.mend}")


def _workers(line: Line) -> list[WorkerPulse]:
    try:
        answers = line.app.control.inspect(timeout=_PATIENCE).stats() or {}
    except (OperationalError, redis.RedisError, OSError) as error:
        raise unreachable(error) from error
    return [WorkerPulse(name, answers[name].get("pool", {}).get("max-concurrency")) for name in sorted(answers)]
