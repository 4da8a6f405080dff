"""SQLite writers that are killed, ten thousand transactions long."""

from __future__ import annotations

import pytest

from core.database import Database
from tests.conftest import MakeSettings
from tests.core.test_killed_writers import survive
from tests.environment import variables

TRANSACTIONS = 10_000


@pytest.mark.timeout(3600)
def test_ten_thousand_transactions_of_writers_that_are_killed_lose_nothing_and_harm_no_file(
    sqlite: Database, settings: MakeSettings
) -> None:
    assert survive(sqlite, variables(settings()), count=1000, kills=200) >= TRANSACTIONS
