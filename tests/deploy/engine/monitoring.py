"""The profile `monitoring`, as far as there are images for it: Prometheus, its rules, and what it hears of the line."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote

from tests.deploy.compose import ROOT, services
from tests.deploy.engine import seals
from tests.deploy.engine.scene import Scene
from tests.waiting import wait_until

SERVICE = "prometheus"
#: Where the container of promtool sees the repository.
_SEEN = "/repository"


def watch(scene: Scene) -> None:
    """Check and test the alerts by promtool; start Prometheus and let it read the line"""
    for words in (
        ("check", "config", f"{_SEEN}/deploy/monitoring/prometheus.yml"),
        ("check", "rules", f"{_SEEN}/deploy/monitoring/alerts.yml"),
        ("test", "rules", f"{_SEEN}/tests/deploy/alerts/alerts_test.yml"),
    ):
        _promtool(scene, *words)
    scene.stack.compose("--profile=monitoring", "up", "--detach", "--no-deps", SERVICE)
    scene.stack.wait_for_health(SERVICE)
    seals.check(scene.stack, scene.stack.one(SERVICE))
    wait_until(lambda: _value(scene, 'up{job="digitline"}') == 1, "Prometheus reads the scheduler", 120.0, 0.5)
    for part in ("ledger", "redis", "inbox"):
        assert _value(scene, f'digitline_up{{part="{part}"}}') == 1
    rules = _ask(scene, "/api/v1/rules")["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}
    scene.figures["alert rules"] = f"{sum(len(group['rules']) for group in rules)} checked and tested by promtool"


def _promtool(scene: Scene, *words: str) -> None:
    image = services()[SERVICE]["image"]
    # The repository is root's here, and may be nobody else's to read.
    mount = ("--user=0:0", f"--volume={ROOT}:{_SEEN}:ro", "--network=none", "--entrypoint=promtool")
    scene.docker("run", "--rm", *mount, image, *words)


def _value(scene: Scene, query: str) -> float | None:
    """What a query comes to, None where there is no such series."""
    found = _ask(scene, f"/api/v1/query?query={quote(query)}")["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def _ask(scene: Scene, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", scene.stack.ports["PROMETHEUS_PORT"], timeout=30.0)
    connection.request("GET", path)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    assert answer.status == http.client.OK, told
    assert isinstance(told, dict)
    return told
