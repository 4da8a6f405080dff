"""Health of a container: `healthcheck.py scheduler`, `worker`, `web` or `flower`; exit code 0 where it does its work.

Runs every half minute beside the process it looks at, so it imports nothing of Digitline: that would cost a second.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import redis

#: Seconds for which the scheduler may not turn its loop: listing a drop of a million images takes a while.
_SCHEDULER_SILENCE = 180.0
#: Seconds in which a worker's heartbeat must come by; it sends one every 2 seconds.
_WORKER_SILENCE = 8.0
#: Seconds that a server gets to answer.
_PATIENCE = 3.0


def scheduler() -> None:
    """Its loop turns: it touches `scheduler.alive` in the home each time."""
    age = time.time() - Path(os.environ["DIGITLINE_HOME"], "scheduler.alive").stat().st_mtime
    if age > _SCHEDULER_SILENCE:
        raise RuntimeError(f"the scheduler's loop has not turned for {age:.0f} s")


def worker() -> None:
    """Redis gets its heartbeats: its loop turns, and its connection carries.

    Listening costs less than a ping, which Celery would hand to every worker of the line.
    """
    url = os.environ["DIGITLINE_BROKER_URL"].replace("redis+socket://", "unix://", 1)
    prefix = os.environ.get("DIGITLINE_KEY_PREFIX") or "digitline:"
    deadline = time.monotonic() + _WORKER_SILENCE
    with (
        redis.Redis.from_url(url, socket_connect_timeout=_PATIENCE, socket_timeout=_PATIENCE) as server,
        server.pubsub(ignore_subscribe_messages=True) as heartbeats,
    ):
        heartbeats.psubscribe(f"{prefix}/*.celeryev/worker.heartbeat")
        while time.monotonic() < deadline:
            message = heartbeats.get_message(timeout=1.0)
            if message is not None and _host(message["data"]) == socket.gethostname():
                return
    raise RuntimeError(f"no heartbeat of this worker within {_WORKER_SILENCE:.0f} s")


def flower() -> None:
    """It answers."""
    prefix = os.environ.get("DIGITLINE_FLOWER_URL_PREFIX", "")
    _answers("Flower", os.environ.get("DIGITLINE_FLOWER_PORT", "5555"), f"{prefix}/healthcheck")


def web() -> None:
    """It answers, and so does the ledger."""
    _answers("the web page", os.environ.get("DIGITLINE_WEB_PORT", "8028"), "/healthz")


CHECKS: dict[str, Callable[[], None]] = {"scheduler": scheduler, "worker": worker, "web": web, "flower": flower}


def _answers(what: str, port: str, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=_PATIENCE)
    connection.request("GET", path)
    status = connection.getresponse().status
    if status != http.client.OK:
        raise RuntimeError(f"{what} answers {status}")


def _host(heartbeat: bytes) -> str:
    """The host in a heartbeat's `scorer@host`."""
    event = json.loads(base64.b64decode(json.loads(heartbeat)["body"]))
    return str(event["hostname"].partition("@")[2])


def main() -> None:
    """Run the check that the command line names."""
    try:
        CHECKS[sys.argv[1]]()
    except (RuntimeError, OSError, redis.RedisError, http.client.HTTPException) as error:
        sys.exit(f"unhealthy: {error}")


if __name__ == "__main__":
    main()
