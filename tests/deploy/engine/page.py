"""Flower's page, asked over the port that it is published on."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

from tests.deploy.engine.stack import Stack


def status(stack: Stack, path: str, *, password: str | None) -> int:
    """The status that the page answers, with a password or with none."""
    return _get(stack, path, password)[0]


def tasks_of(stack: Stack, job: str) -> list[dict[str, Any]]:
    """The tasks of a job, as the page knows them."""
    code, body = _get(stack, "/api/tasks?limit=10000", stack.passwords["flower"])
    assert code == http.client.OK, code
    return [task for task in json.loads(body).values() if f"'{job}'" in (task["kwargs"] or "")]


def _get(stack: Stack, path: str, password: str | None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.ports["FLOWER_PORT"], timeout=30.0)
    login = base64.b64encode(f"ada:{password}".encode()).decode()
    connection.request("GET", path, headers={} if password is None else {"Authorization": f"Basic {login}"})
    answer = connection.getresponse()
    return answer.status, answer.read()
