"""The Redis of docker-compose.yml, started by its own command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from digitline.redis_server import server_program
from tests.deploy.compose import ROOT, services
from tests.servers import short_folder
from tests.waiting import wait_until

PASSWORD = "a-password-of-letters-and-dashes"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for the server, whose path is short enough for a socket."""
    made = short_folder("dl-compose-")
    yield made
    shutil.rmtree(made)


@pytest.fixture
def server(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The server, on a socket in a folder of its own instead of the container's port and paths."""
    configuration = folder / "digitline.conf"
    given = (ROOT / "deploy" / "redis.conf").read_text().replace("dir /data", f"dir {folder}")
    configuration.write_text(f"{given}\nport 0\nunixsocket {folder}/redis.sock\n")
    shell, option, script = services()["redis"]["command"]
    script = script.replace("$$", "$").replace("/etc/digitline/redis.conf", str(configuration))
    script = script.replace("/tmp/redis.conf", f"{folder}/made.conf")
    (folder / "redis-server").symlink_to(server_program())
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "REDISCLI_AUTH": PASSWORD}
    process = subprocess.Popen([shell, option, script], env=environment, stdout=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_redis_asks_for_the_password_keeps_messages_and_shows_no_secret(
    server: subprocess.Popen[bytes], folder: Path
) -> None:
    with redis.Redis(unix_socket_path=str(folder / "redis.sock"), password=PASSWORD) as client:
        wait_until(lambda: _answers(client), "Redis answers")
        wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
    with (
        redis.Redis(unix_socket_path=str(folder / "redis.sock")) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    command_line = subprocess.run(
        ["ps", "-o", "args=", "-p", str(server.pid)], capture_output=True, text=True, check=True
    ).stdout
    assert "redis-server" in command_line
    assert PASSWORD not in command_line
    assert (folder / "made.conf").stat().st_mode & 0o077 == 0
