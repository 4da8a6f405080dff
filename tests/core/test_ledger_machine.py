"""The ledger keeps its promise in any order of steps: Hypothesis takes them, a plain model says what must come of them.

By default every run takes the same steps. Many more, and others each time, takes
`make test ARGS="tests/core/test_ledger_machine.py --hypothesis-profile thorough"`.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from core.database import Database
from tests.core.ledger_machine import LedgerMachine

#: Seconds; the thorough profile takes that long on a busy machine.
pytestmark = pytest.mark.timeout(3600)


def test_whatever_workers_redis_sweeps_and_people_do_every_image_ends_once(sqlite: Database) -> None:
    run_state_machine_as_test(lambda: LedgerMachine(sqlite))


def test_whatever_they_do_every_image_ends_once_on_postgresql_too(postgres: Database) -> None:
    fewer = settings(max_examples=settings().max_examples // 5)
    run_state_machine_as_test(lambda: LedgerMachine(postgres), settings=fewer)
