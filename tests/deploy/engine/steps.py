"""The steps of the proof, in their order; each ends with every image accounted for, read as in the quiet run."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

from core.vocabulary import Job
from tests.deploy.engine import drops, page, seals
from tests.deploy.engine.scene import Scene
from tests.deploy.engine.stack import LINE, Container
from tests.waiting import wait_until

#: Seconds in which a container that was killed or let go is healthy again.
_RECOVERY = 240.0


def build(scene: Scene) -> None:
    """Build the image"""
    with scene.timed("build of the image"):
        scene.stack.compose("build", "migrate", timeout=3600.0)
    seals.check_image(scene.stack)
    sizes = [
        int(scene.docker("image", "inspect", "--format={{.Size}}", name))
        for name in (scene.stack.image, "python:3.11-slim-bookworm")
    ]
    scene.figures["image"] = f"{sizes[0] / 1e9:.2f} GB, of which its base {sizes[1] / 1e9:.2f} GB"


def start(scene: Scene) -> None:
    """Bring the stack up and wait for every health check"""
    with scene.timed("up, from nothing to healthy"):
        scene.stack.up()
    (migrate,) = scene.stack.containers("migrate", stopped=True)
    assert migrate.inspect()["State"]["ExitCode"] == 0
    for name in LINE:
        checks = scene.stack.one(name).inspect()["State"]["Health"]["Log"]
        assert checks[-1]["ExitCode"] == 0
    scene.stack.digitline("doctor")


def seal(scene: Scene) -> None:
    """Look for privileges, writable places and secrets in the containers that run"""
    for name in LINE:
        seals.check(scene.stack, scene.stack.one(name))
    for name in ("scheduler", "worker"):
        seals.check_network(scene.stack, scene.stack.one(name))


def score(scene: Scene) -> None:
    """Drop a folder of digits; look at rows, files, verbs and Flower"""
    stack = scene.stack
    with scene.ledger() as database, scene.timed(f"first drop of {scene.digits.count:,} digits, from drop to summary"):
        drops.drop(stack, scene.digits, "quiet")
        job = drops.ended(database, "quiet", scene.digits)
        done = wait_until(lambda: _filed(scene, job), "the drop is filed", 60.0)
    _check_rows(scene, job)
    with (done / "predictions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(scene.digits.expected)
    _check_verbs(scene, job)
    _check_flower(scene, job)


def scale(scene: Scene) -> None:
    """Scale from one worker to three and back while jobs run"""
    stack, names = scene.stack, [f"scaled-{number}" for number in range(1, 5)]
    # All four are there before the first begins, or quick workers would be through with it before others have started.
    stack.digitline("pause", "--all", "--reason", "four jobs come first")
    with scene.ledger() as database:
        for name in names:
            drops.drop(stack, scene.digits, name)
            drops.queued(database, name)
        stack.digitline("resume", "--all")
        drops.started(database, names[0], scene.digits)
        stack.compose("up", "--detach", "--no-recreate", "--scale=worker=3")
        wait_until(lambda: len(_scorers(scene)) >= 2, "a second worker records batches", 400.0, 0.5)
        stack.wait_for_health("worker", workers=3)
        stack.compose("up", "--detach", "--no-recreate", "--scale=worker=1")
        assert len(stack.containers("worker")) == 1
        for name in names:
            drops.ended(database, name, scene.digits)
        scene.figures["scaled 1 -> 3 -> 1"] = f"{len(names)} jobs, batches recorded by {len(_scorers(scene))} workers"


def kill(scene: Scene) -> None:
    """Kill each container's process during a job, and let the engine start it again"""
    dropped: list[str] = []
    for name in LINE:
        _keep_busy(scene, dropped)
        container = scene.stack.one(name)
        restarts = container.inspect()["RestartCount"]
        os.kill(container.pid, signal.SIGKILL)
        with scene.timed(f"{name} killed, to healthy"):
            wait_until(lambda c=container, r=restarts: _restarted(c, r), f"{name} was started again", 60.0)
            scene.stack.wait_for_health(name, timeout=_RECOVERY)
    with scene.ledger() as database:
        for job in dropped:
            drops.ended(database, job, scene.digits)
    scene.figures["killed"] = f"{len(LINE)} containers, jobs meanwhile: {len(dropped)}"


def stop_by_hand(scene: Scene) -> None:
    """`docker kill` each container during a job; what a person ended stays down until `up`"""
    drops.drop(scene.stack, scene.digits, "by-hand")
    with scene.ledger() as database:
        drops.started(database, "by-hand", scene.digits)
    # Servers last: what has lost its server may be between two starts, and cannot be killed then.
    for name in reversed(LINE):
        scene.docker("kill", scene.stack.one(name).id)
        assert not scene.stack.containers(name)
    scene.stack.up()
    with scene.ledger() as database:
        drops.ended(database, "by-hand", scene.digits)


def freeze(scene: Scene) -> None:
    """Stop every process of a container by SIGSTOP: it turns unhealthy, and healthy again once they go on"""
    # The scheduler's check bears three minutes; the others are frozen while it is waited for.
    scheduler = scene.stack.one("scheduler")
    frozen = _signal_all(scheduler, signal.SIGSTOP)
    try:
        for name in LINE:
            if name != "scheduler":
                _freeze(scene, scene.stack.one(name))
        with scene.timed("scheduler frozen, to unhealthy, beside the others"):
            wait_until(lambda: scheduler.health == "unhealthy", "the scheduler is unhealthy", 400.0, 0.5)
    finally:
        _signal(frozen, signal.SIGCONT)
    scene.stack.wait_for_health(timeout=_RECOVERY)


def come_back(scene: Scene) -> None:
    """Take the stack down and bring it up: ledger, queue and Flower's history are those of before"""
    with scene.ledger() as database:
        first, before = drops.all_jobs(database)[0], drops.standing(database)
    scene.stack.compose("down", timeout=300.0)
    assert not any(scene.stack.containers(name, stopped=True) for name in LINE)
    with scene.timed("up after down, to healthy"):
        scene.stack.up()
    with scene.ledger() as database:
        after = drops.standing(database)
        assert after == before, f"{after} instead of {before}"
        drops.check(database, first, scene.digits)
    assert page.tasks_of(scene.stack, first.name), "Flower has forgotten its tasks"


def _filed(scene: Scene, job: Job) -> Path | None:
    """The folder of a job's drop below `done/`, once its summary is there."""
    summaries = scene.stack.line.glob(f"done/*-{job.name}-{job.id}/summary.txt")
    return next((summary.parent for summary in summaries), None)


def _check_rows(scene: Scene, job: Job) -> None:
    """Every image has one row, asked of PostgreSQL itself."""
    images = 0
    for table in ("predictions", "rejections"):
        rows, places = _psql(
            scene,
            f"SELECT unnest(array[count(*), count(DISTINCT (batch_id, position))]) FROM {table} "
            f"WHERE batch_id IN (SELECT id FROM batches WHERE job_id = {job.id})",
        )
        assert rows == places, f"{table}: {rows} rows for {places} images"
        images += int(rows)
    assert images == len(scene.digits.expected)


def _keep_busy(scene: Scene, dropped: list[str]) -> None:
    """Return while a job runs of which most is open: the last that was dropped, or one more."""
    with scene.ledger() as database:
        if not dropped or not drops.is_busy(database, dropped[-1]):
            dropped.append(f"killed-{len(dropped) + 1}")
            drops.drop(scene.stack, scene.digits, dropped[-1])
        drops.started(database, dropped[-1], scene.digits)


def _check_verbs(scene: Scene, job: Job) -> None:
    told = json.loads(scene.stack.digitline("status", str(job.id), "--json"))
    (shown,) = told["jobs"]
    assert shown["accounts"]["found"] == len(scene.digits.expected)
    scene.stack.digitline("results", str(job.id), "--format", "csv", "--output", "/line/quiet.csv")
    scene.stack.digitline("report", str(job.id), "--output", "/line/quiet.html")
    assert (scene.stack.line / "quiet.csv").stat().st_uid == scene.stack.line.stat().st_uid
    assert (scene.stack.line / "quiet.html").stat().st_size


def _check_flower(scene: Scene, job: Job) -> None:
    assert page.status(scene.stack, "/api/tasks", password=None) == 401
    assert page.status(scene.stack, "/", password="another") == 401
    tasks = page.tasks_of(scene.stack, job.name)
    assert len(tasks) == job.batches, f"{len(tasks)} tasks of {job.batches} batches"
    assert {task["state"] for task in tasks} == {"SUCCESS"}


def _scorers(scene: Scene) -> set[str]:
    """The containers that recorded batches of the scaled jobs."""
    query = (
        "SELECT DISTINCT split_part(batches.worker, ':', 1) FROM batches JOIN jobs ON jobs.id = batches.job_id "
        "WHERE jobs.name LIKE 'scaled-%' AND batches.state = 'done'"
    )
    return set(_psql(scene, query))


def _psql(scene: Scene, query: str) -> list[str]:
    """The rows of one column."""
    words = ["psql", "--username=digitline", "--dbname=digitline", "--no-align", "--tuples-only"]
    return scene.stack.one("postgres").execute(*words, f"--command={query}").split()


def _restarted(container: Container, before: int) -> bool:
    told = container.inspect()
    return bool(told["RestartCount"] > before and told["State"]["Running"])


def _freeze(scene: Scene, container: Container) -> None:
    frozen = _signal_all(container, signal.SIGSTOP)
    try:
        with scene.timed(f"{container.service} frozen, to unhealthy"):
            wait_until(lambda: container.health == "unhealthy", f"{container.service} is unhealthy", 240.0, 0.3)
    finally:
        _signal(frozen, signal.SIGCONT)
    with scene.timed(f"{container.service} let go, to healthy"):
        wait_until(lambda: container.health == "healthy", f"{container.service} is healthy again", _RECOVERY, 0.3)


def _signal_all(container: Container, number: signal.Signals) -> list[int]:
    # Not its init, which the engine put there: it has to pass signals on and to reap.
    chosen = [pid for pid in container.processes if pid != container.pid]
    _signal(chosen, number)
    return chosen


def _signal(processes: list[int], number: signal.Signals) -> None:
    for pid in processes:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            # A health check that has ended meanwhile.
            continue
