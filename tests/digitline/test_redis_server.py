"""The embedded Redis is its home's alone: nobody gets to it over a network, and no other user over its socket."""

from __future__ import annotations

import stat
from pathlib import Path

from digitline import redis_server
from tests.conftest import MakeSettings
from tests.servers import RedisServer

#: As /proc says that a socket listens.
LISTENS = "0A"


def listening(process_id: int) -> list[str]:
    """The addresses of TCP, with port, that a process listens on, as /proc writes them."""
    opened = {str(descriptor.readlink()) for descriptor in Path(f"/proc/{process_id}/fd").iterdir()}
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return [fields[1] for fields in sockets if fields[3] == LISTENS and f"socket:[{fields[9]}]" in opened]


def test_the_embedded_redis_listens_on_a_private_socket_alone(settings: MakeSettings) -> None:
    chosen = settings()
    with redis_server.running(chosen) as server:
        assert listening(server.pid) == []
        assert stat.S_ISSOCK(chosen.socket.stat().st_mode)
        assert [stat.S_IMODE(path.stat().st_mode) for path in (chosen.socket, chosen.socket.parent)] == [0o700] * 2
    assert server.stdout is not None
    server.stdout.close()


def test_a_server_that_does_listen_would_be_found(redis_tcp_server: RedisServer) -> None:
    assert listening(redis_tcp_server.pid) == [f"0100007F:{redis_tcp_server.port:04X}"]
