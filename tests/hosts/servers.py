"""Redis and PostgreSQL on an address that other hosts reach."""

from __future__ import annotations

from collections.abc import Sequence

from tests.hosts.network import NETWORK, SERVERS
from tests.servers import PostgresServer, RedisServer

PASSWORD = "of the hosts"


def redis_for_hosts() -> RedisServer:
    """A Redis of the network's, with a password."""
    return RedisServer(tcp=True, password=PASSWORD, bind=f"127.0.0.1 {SERVERS}")


class PostgresForHosts(PostgresServer):
    """A PostgreSQL of the network's."""

    def __init__(self) -> None:
        super().__init__(tcp=True)
        with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"\nhost all all {NETWORK} trust\n")

    def url_for_hosts(self, database: str) -> str:
        """As SQLAlchemy writes it."""
        return f"postgresql+psycopg://postgres@{SERVERS}:{self.port}/{database}"

    def _command(self) -> Sequence[str]:
        return [word.replace("127.0.0.1", f"127.0.0.1,{SERVERS}") for word in super()._command()]
