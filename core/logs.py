"""How every process of the line logs: a sentence a line, to standard error, secrets left out."""

from __future__ import annotations

import logging

from core.plain import printable

#: Libraries that explain themselves at length, and the lowest level at which they say what people want to read.
_LOWEST = {
    "alembic": logging.WARNING,
    "amqp": logging.WARNING,
    # It names a task by a number; worker.tasks says the same in words.
    "celery.app.trace": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "flower.command": logging.WARNING,
    # Flower asks workers how they are as soon as it starts, and warns where they still load their model.
    "flower.inspector": logging.ERROR,
    "kombu": logging.WARNING,
    "matplotlib": logging.WARNING,
    "watchfiles": logging.WARNING,
}


class _OneLine(logging.Formatter):
    """Keeps a record on one line, whatever a file's name holds; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging spells it so
        """Format the line, with what a terminal would obey written as an escape."""
        record.message = printable(record.message)
        return super().formatMessage(record)


def set_up(level: str) -> None:
    """Send every log record of this process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, lowest in _LOWEST.items():
        logging.getLogger(name).setLevel(max(lowest, logging.getLevelNamesMapping()[level]))
