"""What people said of single images: their word goes over a model's and over a label that came with the image."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import CompoundSelect, func, insert, select, union_all

from core import clock, tables
from core.database import Database
from core.errors import ImageNotFound
from core.vocabulary import DIGITS


@dataclass(frozen=True, slots=True)
class Correction:
    """A person's word on one image."""

    #: Relative to the job's folder.
    path: str
    #: What was believed before: the last correction, else the true label, else the model's; None: none of them.
    old_label: int | None
    new_label: int
    corrected_by: str


def record(database: Database, job_id: int, path: str, label: int, *, by: str) -> Correction:
    """Keep a person's word on an image; an earlier one stays as history.

    Args:
        job_id: the job that the image was scored or rejected in.
        path: of the image, relative to the job's folder.
        label: the digit that it shows, 0 to 9.
        by: who says so.

    Raises:
        ImageNotFound: the job has no such image, or has not come to it yet.
        ValueError: the label is no digit.
    """
    if not 0 <= label < DIGITS:
        raise ValueError(f"{label} is no digit.")
    images, corrections = _images(job_id).subquery(), tables.corrections
    with database.begin() as connection:
        row = connection.execute(select(images).where(images.c.path == path)).first()
        if row is None:
            raise ImageNotFound(f"Job {job_id} has no image {path!r} that was scored or rejected.")
        earlier = select(corrections.c.new_label).where(
            corrections.c.batch_id == row.batch_id, corrections.c.position == row.position
        )
        last = connection.execute(earlier.order_by(corrections.c.id.desc())).first()
        old = row.believed if last is None else last.new_label
        connection.execute(
            insert(corrections).values(
                batch_id=row.batch_id,
                position=row.position,
                corrected_by=by,
                corrected_at=clock.now(),
                old_label=old,
                new_label=label,
            )
        )
    return Correction(path, old, label, by)


def of_job(database: Database, job_id: int) -> list[Correction]:
    """The last word on every corrected image of a job, in the order of the folder."""
    images, corrections = _images(job_id).subquery(), tables.corrections
    found = (
        select(images.c.path, corrections.c.old_label, corrections.c.new_label, corrections.c.corrected_by)
        .join(
            corrections, (corrections.c.batch_id == images.c.batch_id) & (corrections.c.position == images.c.position)
        )
        .order_by(images.c.batch_id, images.c.position, corrections.c.id)
    )
    with database.read() as connection:
        rows = connection.execute(found).all()
    last = {row.path: Correction(row.path, row.old_label, row.new_label, row.corrected_by) for row in rows}
    return list(last.values())


def _images(job_id: int) -> CompoundSelect[tuple[int, int, str, int | None]]:
    """All images of a job that were scored or rejected: batch, position, path and the label they are believed to show."""
    scored, rejected = tables.predictions, tables.rejections
    believed = func.coalesce(scored.c.true_label, scored.c.label)
    return union_all(
        *(
            select(part.c.batch_id, part.c.position, part.c.path, label.label("believed"))
            .join(tables.batches, tables.batches.c.id == part.c.batch_id)
            .where(tables.batches.c.job_id == job_id)
            for part, label in ((scored, believed), (rejected, rejected.c.true_label))
        )
    )
