"""The review queue: what people should look at, the least certain first, and who looks at which of it now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from core import clock, review_tables, tables
from core.database import Database
from core.ledger import gallery
from core.ledger.gallery import Place, Placed
from core.vocabulary import Verdict

_batches, _corrections, _leases = tables.batches, tables.corrections, tables.review_leases
_scored, _rejected = tables.predictions, tables.rejections

#: Seconds for which an image is a reviewer's own; asking for the next one begins them anew.
LEASE_TIME = 180.0
#: Images that are counted at most: to say how many a person will never get to is not worth the time.
MOST_COUNTED = 10_000
#: Why images were rejected whose picture was seen, so that a person may know better.
_SEEN = (Verdict.SEVERAL.value, Verdict.LOW_CONTRAST.value, Verdict.BLANK.value)


@dataclass(frozen=True, slots=True)
class Left:
    """How many images nobody has reviewed yet; each count ends at `MOST_COUNTED`."""

    #: Scored ones that are not surely a digit, and rejected ones whose picture was seen.
    doubtful: int
    #: Those read as a digit with a confidence of 0.99 at most.
    unsure: int


def hand_out(
    database: Database, holder: str, *, job_id: int | None = None, count: int = 1, lease_time: float = LEASE_TIME
) -> list[Placed]:
    """Give a reviewer what is least certain of all that nobody has reviewed and nobody else has before them.

    First come images without a sure digit, the least confident first, then rejected ones whose picture was seen, then
    those of which the digit is less than 99 % sure.

    Args:
        database: the ledger.
        holder: who asks; whoever gives the same name again gets the same images again.
        job_id: the job; None: all of them.
        count: images that the reviewer is to have.
        lease_time: seconds, by the database's clock, until somebody else may get them.

    Returns:
        All that the reviewer has now; fewer than `count` where no more is left.
    """
    with database.begin() as connection:
        _renew(connection, holder, lease_time)
    with database.begin() as connection:
        places = _held(connection, holder, job_id)
        for waiting in _queue(job_id):
            # Anew while others are quicker: what they took is seen then.
            while len(places) < count and (next_ones := connection.execute(waiting.limit(count - len(places))).all()):
                places += _take(connection, holder, [Place(*row) for row in next_ones], lease_time)
    return sorted((gallery.image(database, place) for place in places), key=_certainty)


def take(database: Database, holder: str, place: Place, *, lease_time: float = LEASE_TIME) -> bool:
    """Give a reviewer one certain image, as one whose word was taken back; False: somebody else has it before them."""
    with database.begin() as connection:
        return bool(_take(connection, holder, [place], lease_time))


def give_back(database: Database, holder: str, place: Place | None = None) -> None:
    """Let others have what a reviewer has before them; that image alone, or None: all of it."""
    theirs = [_leases.c.holder == holder]
    if place is not None:
        theirs += [_leases.c.batch_id == place.batch, _leases.c.position == place.position]
    with database.begin() as connection:
        connection.execute(delete(_leases).where(*theirs))


def left(database: Database, job_id: int | None = None) -> Left:
    """Count what nobody has reviewed yet, of a job or of all of them."""
    with database.read() as connection:
        doubtful, seen, unsure = (
            connection.execute(
                select(func.count()).select_from(_unreviewed(part, which, job_id).limit(MOST_COUNTED).subquery())
            ).scalar_one()
            for part, which in _KINDS
        )
    return Left(min(doubtful + seen, MOST_COUNTED), unsure)


#: What is reviewed, in turn. Word by word as the index has it, which is found by nothing else.
_KINDS: tuple[tuple[Table, ColumnElement[Any]], ...] = (
    (_scored, literal_column(str(review_tables.DOUBTFUL))),
    (_rejected, _rejected.c.reason.in_(_SEEN)),
    (_scored, and_(literal_column("verdict = 'digit'"), literal_column(str(review_tables.UNSURE)))),
)


def _queue(job_id: int | None) -> Iterator[Select[Any]]:
    for part, which in _KINDS:
        free = ~exists().where(_same(_leases, part), _leases.c.lease_until > clock.now())
        first = (part.c.confidence,) if part is _scored else ()
        yield _unreviewed(part, which, job_id).where(free).order_by(*first, part.c.batch_id, part.c.position)


def _unreviewed(part: Table, which: ColumnElement[Any], job_id: int | None) -> Select[Any]:
    chosen = select(part.c.batch_id, part.c.position).where(
        which, ~exists().where(_same(_corrections, part), _corrections.c.stands)
    )
    if part is _scored:
        chosen = chosen.with_hint(part, "INDEXED BY ix_predictions_review", "sqlite")
    if job_id is not None:
        chosen = chosen.where(exists().where(_batches.c.id == part.c.batch_id, _batches.c.job_id == job_id))
    return chosen


def _same(table: Table, part: Table) -> ColumnElement[bool]:
    return and_(table.c.batch_id == part.c.batch_id, table.c.position == part.c.position)


def _renew(connection: Connection, holder: str, lease_time: float) -> None:
    until = {"lease_until": clock.seconds_from_now(lease_time)}
    connection.execute(update(_leases).where(_leases.c.holder == holder).values(until))


def _held(connection: Connection, holder: str, job_id: int | None) -> list[Place]:
    """What the reviewer has and nobody has reviewed; the rest, also what is of another job, is let go."""
    of_job = _batches.c.id == _leases.c.batch_id
    wanted = exists().where(of_job, _batches.c.job_id == job_id) if job_id is not None else exists().where(of_job)
    there = exists().where(_same(_scored, _leases)) | exists().where(_same(_rejected, _leases))
    spoken_of = exists().where(_same(_corrections, _leases), _corrections.c.stands)
    keep = and_(wanted, there, ~spoken_of)
    connection.execute(delete(_leases).where(_leases.c.holder == holder, ~keep))
    rows = connection.execute(select(_leases.c.batch_id, _leases.c.position).where(_leases.c.holder == holder))
    return [Place(*row) for row in rows]


def _take(connection: Connection, holder: str, places: Sequence[Place], lease_time: float) -> list[Place]:
    """Those of the places that are the reviewer's now; others may have been quicker."""
    upsert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    until = clock.seconds_from_now(lease_time)
    rows = [
        {"batch_id": place.batch, "position": place.position, "holder": holder, "lease_until": until}
        for place in places
    ]
    free = (_leases.c.lease_until <= clock.now()) | (_leases.c.holder == holder)
    taken = (
        upsert(_leases)
        .values(rows)
        .on_conflict_do_update(
            index_elements=[_leases.c.batch_id, _leases.c.position],
            set_={"holder": holder, "lease_until": until},
            where=free,
        )
        .returning(_leases.c.batch_id, _leases.c.position)
    )
    return [Place(*row) for row in connection.execute(taken)]


def _certainty(image: Placed) -> tuple[int, float, int, int]:
    """In the order of the queue."""
    result, place = image.result, image.place
    kind = 1 if result.status == "rejected" else 2 if result.verdict is Verdict.DIGIT else 0
    return kind, result.confidence or 0.0, place.batch, place.position
