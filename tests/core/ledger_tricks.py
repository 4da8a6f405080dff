"""What the ledger's machine does that no verb of the ledger can: start anew, let time pass, say what images are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import bindparam, delete, select, update

from core import tables
from core.database import Database
from core.ledger.shadows import Shadow
from core.vocabulary import Lease, Model, Outcome, Reason
from tests.core.examples import outcome, rejection
from tests.core.ledger_model import TICK, Read


def empty(database: Database) -> None:
    """Remove every row."""
    with database.begin() as connection:
        for table in reversed(tables.metadata.sorted_tables):
            connection.execute(delete(table))


def let_time_pass(database: Database, ticks: int) -> None:
    """Move what the ledger compares with the present into the past: the database's own clock cannot be set."""
    past, of_batches = timedelta(seconds=ticks * TICK), tables.batches.c
    chosen = select(of_batches.id.label("number"), of_batches.sent_at, of_batches.lease_until)
    moved = update(tables.batches).where(of_batches.id == bindparam("number"))
    with database.begin() as connection:
        for number, sent_at, lease_until in connection.execute(chosen).all():
            moments = {"sent_at": sent_at - past, "lease_until": lease_until and lease_until - past}
            connection.execute(moved.values(moments), {"number": number})


def outcome_of(lease: Lease, reads: Sequence[Read]) -> Outcome:
    """What a worker found out that read a batch's images so."""
    found = outcome(lease, labels=[None if isinstance(read, Reason) else read for read in reads])
    reasons = [rejection(lease, position, read) for position, read in enumerate(reads) if isinstance(read, Reason)]
    return replace(found, rejections=reasons)


def shadow_of(challenger: Model, found: Outcome) -> Shadow:
    """What a challenger says that takes every digit for a 3."""
    single = [prediction for prediction in found.predictions if not prediction.digits]
    return Shadow(challenger.id, [3] * len(single), [0.5] * len(single))
