"""What has gone through the servers, and what lies in them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import redis
from sqlalchemy import Connection, text

from core.database import Database
from core.settings import Settings

#: Of PostgreSQL: bytes of all tables with their indexes and what is kept beside them, and of the log so far.
_TABLES = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
_LOG = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"


@dataclass(frozen=True, slots=True)
class Usage:
    """The servers' own counters; the difference of two is what happened in between."""

    #: Commands that Redis was given and microseconds of processor time, bytes that went in and out, bytes that it holds.
    redis_commands: float
    redis_time: float
    redis_traffic: float
    redis_memory: float
    #: Bytes of the tables with their indexes; and of PostgreSQL's log, 0 for SQLite.
    database: float
    database_log: float

    def per_batch_since(self, before: Usage, batches: int) -> dict[str, float]:
        """What has been added since, by batch."""
        then = asdict(before)
        return {name: (value - then[name]) / batches for name, value in asdict(self).items()}


def usage(settings: Settings, database: Database) -> Usage:
    """Read the counters of the servers that the settings name; the embedded Redis is one of them."""
    with redis.Redis(unix_socket_path=str(settings.socket)) as server:
        said = server.info()
    with database.read() as connection:
        size, log = _sizes(connection)
    traffic = said["total_net_input_bytes"] + said["total_net_output_bytes"]
    spent = (said["used_cpu_user"] + said["used_cpu_sys"]) * 1e6
    return Usage(said["total_commands_processed"], spent, traffic, said["used_memory_dataset"], size, log)


def _sizes(connection: Connection) -> tuple[float, float]:
    if connection.dialect.name == "sqlite":
        pages = connection.execute(text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"))
        return float(pages.scalar_one()), 0.0
    return float(connection.execute(text(_TABLES)).scalar_one()), float(connection.execute(text(_LOG)).scalar_one())
