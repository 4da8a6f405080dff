"""The Celery application of the candidates `tutorial` and `naive`: model.predict and ORM objects in every task."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = Celery("tutorial", broker=os.environ["TUTORIAL_BROKER"])
app.conf.task_ignore_result = True

engine = create_engine(os.environ["TUTORIAL_DATABASE"])


class Base(DeclarativeBase):
    """The tables."""


class Prediction(Base):
    """What was read in one image."""

    __tablename__ = "predictions"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    label: Mapped[int]
    confidence: Mapped[float]


@app.task
def classify(folder: str, files: list[str]) -> None:
    """Read images, and commit a row for each."""
    pipeline, model = _loaded()
    probabilities = model.predict(pipeline.network_input(pipeline.read_files(Path(folder), files)), verbose=0)
    with Session(engine) as session:
        session.add_all(
            Prediction(path=file, label=int(row.argmax()), confidence=float(row.max()))
            for file, row in zip(files, probabilities, strict=True)
        )
        session.commit()


@worker_process_init.connect
def _load_at_start(**_: Any) -> None:
    _loaded()


@cache
def _loaded() -> tuple[Any, Any]:
    """What a process reads with, loaded once, in the child: TensorFlow does not survive a fork."""
    pipeline = import_module("benchmarks.speed.peers.pipeline")
    return pipeline, pipeline.fast_network()
