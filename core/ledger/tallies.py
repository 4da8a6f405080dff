"""How many images people have said what of: by class, by reviewer, by job."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from core import tables
from core.database import Database
from core.ledger.corrected import reviewed


@dataclass(frozen=True, slots=True)
class Tally:
    """How many images people have said what of."""

    #: By job: number, name and images, the newest first.
    by_job: tuple[tuple[int, str, int], ...]
    #: By what was said: `0` to `9`, `not_a_digit`, `several`.
    by_class: Mapping[str, int]
    #: By who said it, the most diligent first.
    by_reviewer: Mapping[str, int]
    #: Images whose word is another than what the model read.
    changed: int

    @property
    def images(self) -> int:
        """All of them."""
        return sum(self.by_class.values())


def tally(database: Database, job_ids: Collection[int] | None = None) -> Tally:
    """Count the reviewed images of some jobs, or of all."""
    wanted = () if job_ids is None else (reviewed.c.job_id.in_(job_ids),)
    said = func.coalesce(reviewed.c.label, -1)
    images = func.count().label("images")
    with database.read() as connection:
        classes = connection.execute(
            select(reviewed.c.verdict, said, images).where(*wanted).group_by(reviewed.c.verdict, said).order_by(said)
        ).all()
        people = connection.execute(
            select(reviewed.c.reviewed_by, images).where(*wanted).group_by(reviewed.c.reviewed_by)
        ).all()
        jobs = connection.execute(
            select(tables.jobs.c.id, tables.jobs.c.name, images)
            .join(reviewed, reviewed.c.job_id == tables.jobs.c.id)
            .where(*wanted)
            .group_by(tables.jobs.c.id, tables.jobs.c.name)
            .order_by(tables.jobs.c.id.desc())
        ).all()
        agreed = connection.scalar(
            select(func.count()).select_from(reviewed).where(*wanted, reviewed.c.label == reviewed.c.predicted)
        )
    by_class = {str(label) if label >= 0 else verdict: count for verdict, label, count in classes}
    by_reviewer = {
        row.reviewed_by: row.images for row in sorted(people, key=lambda row: (-row.images, row.reviewed_by))
    }
    return Tally(tuple(map(tuple, jobs)), by_class, by_reviewer, sum(by_class.values()) - (agreed or 0))
