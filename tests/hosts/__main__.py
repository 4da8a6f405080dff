"""`make hosts-test`: the line on four hosts whose links go down; says what held, and fails where something did not."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from tests.hosts.scene import Scene, scene
from tests.waiting import wait_until


def all_hosts_have_a_part(line: Scene) -> None:
    """A folder that every host has mounted is scored by workers of both."""
    line.learn()
    line.both_work()


def a_worker_is_cut_off(line: Scene) -> None:
    """The link of a host that has a batch goes down for longer than a lease; the other one does its work."""
    first, second = line.workers
    job_id = line.submit()
    wait_until(lambda: first.name in line.hosts_of(job_id), f"{first.name} has a batch")
    with first.cut_off():
        assert not line.ended(job_id), "the job ended before the link went down"
        line.wait_out()
        line.ends_well(job_id)
        while_away = line.submit()
        line.ends_well(while_away)
        assert line.hosts_of(while_away) == {second.name}
    line.both_work()


def a_host_is_cut_off_that_holds_a_lock(line: Scene) -> None:
    """PostgreSQL lets go of what a host holds that is cut off in the middle of a transaction, and the job ends."""
    first, _ = line.workers
    job_id = line.submit()
    with line.holding(job_id, first), first.cut_off():
        assert not line.ended(job_id), "the job ended before the link went down"
        line.ends_well(job_id)
    line.both_work()


def the_scheduler_is_cut_off(line: Scene) -> None:
    """What is queued goes on without the scheduler, and the scheduler goes on afterwards."""
    job_id = line.submit()
    with line.scheduler.cut_off():
        assert not line.ended(job_id), "the job ended before the link went down"
        line.wait_out()
        line.ends_well(job_id)
    line.both_work()


def every_host_is_cut_off(line: Scene) -> None:
    """For all hosts the servers are away for longer than a lease, in the middle of a job."""
    job_id = line.submit()
    wait_until(lambda: line.hosts_of(job_id), "somebody has a batch")
    with ExitStack() as cables:
        for host in (line.scheduler, *line.workers):
            cables.enter_context(host.cut_off())
        assert not line.ended(job_id), "the job ended before the links went down"
        line.wait_out()
    line.ends_well(job_id)
    line.both_work()


TRIALS: tuple[Callable[[Scene], None], ...] = (
    all_hosts_have_a_part,
    a_worker_is_cut_off,
    a_host_is_cut_off_that_holds_a_lock,
    the_scheduler_is_cut_off,
    every_host_is_cut_off,
)


def main() -> None:
    """Run every trial on one line."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="digitline-hosts-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL, too, goes through it
        try:
            with scene(Path(folder)) as line:
                for trial in TRIALS:
                    started = time.monotonic()
                    trial(line)
                    console.print(f"{trial.__name__.replace('_', ' ')}: held, {time.monotonic() - started:.0f} s")
        except (AssertionError, OSError) as error:
            for log in sorted(Path(folder).glob("*.log")):
                console.print(f"{log.name}:\n{log.read_text(errors='replace')[-2000:]}", markup=False)
            console.print(f"It did not hold: {error}", markup=False)
            sys.exit(1)


if __name__ == "__main__":
    main()
