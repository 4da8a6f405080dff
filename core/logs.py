"""How every process of the line logs: a sentence a line, to standard error, secrets left out."""

from __future__ import annotations

import logging


class _OneLine(logging.Formatter):
    """Keeps a record on one line, whatever a file's name holds; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging spells it so
        """Format the line, with what a terminal would obey written as an escape."""
        record.message = "".join(
            character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode()
            for character in record.message
        )
        return super().formatMessage(record)


def set_up(level: str) -> None:
    """Send every log record of this process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # These explain themselves at length at INFO; people want to read what the line does.
    for chatty in ("alembic", "kombu", "amqp", "watchfiles", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
