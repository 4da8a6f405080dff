"""Fixtures for every test: real servers, a migrated ledger on both databases, settings of the test's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from hypothesis import settings as hypothesis_settings
from kombu import pools

from core.database import Database
from core.objects import get_store
from core.queues import get_app
from core.settings import PREFIX, Settings, get_settings
from tests.ledgers import Ledgers
from tests.servers import PostgresServer, RedisServer

if TYPE_CHECKING:
    from tests.store import Bucket

# `--hypothesis-profile thorough` chooses the second one: many more steps, and others each time.
hypothesis_settings.register_profile(
    "suite", max_examples=40, derandomize=True, database=None, deadline=None, print_blob=True
)
hypothesis_settings.register_profile(
    "thorough", parent=hypothesis_settings.get_profile("suite"), max_examples=250, derandomize=False
)
hypothesis_settings.load_profile("suite")

# What runs in the background of a shell ignores Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Builds Settings(home=, database_url=, broker_url=, **overrides); see the fixture `settings`.
MakeSettings = Callable[..., Settings]


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test starts from the defaults, and what it sets is forgotten."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    get_settings.cache_clear()
    get_app.cache_clear()
    yield
    get_settings.cache_clear()
    get_app.cache_clear()
    # Kombu keeps connections by URL for the whole process, also those to servers of past tests.
    pools.reset()


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(_shared_redis: RedisServer) -> str:
    """Celery URL of an empty Redis on a unix socket; the server is shared, so leave it alive."""
    with _shared_redis.client() as client:
        client.flushall()
    return _shared_redis.url


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis of the test's own on a unix socket, to stop, kill and start again."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_tcp_server() -> Iterator[RedisServer]:
    """A Redis of the test's own on a loopback port, with a password."""
    with RedisServer(tcp=True, password="p@ss/word") as server:
        yield server


@pytest.fixture(scope="session")
def _shared_postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def _ledgers(_shared_postgres: PostgresServer) -> Ledgers:
    return Ledgers(_shared_postgres)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "migrated.sqlite"
    database = Database(f"sqlite:///{path}")
    command.upgrade(database.alembic_config(), "head")
    database.close()
    return path


@pytest.fixture
def postgres_url(_ledgers: Ledgers) -> Iterator[str]:
    """SQLAlchemy URL of a new migrated PostgreSQL database of the test's own; the server is shared."""
    name = _ledgers.create()
    yield _ledgers.url(name)
    _ledgers.drop(name)


@pytest.fixture
def empty_postgres_url(_ledgers: Ledgers) -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL database without tables."""
    name = _ledgers.create(template="template1")
    yield _ledgers.url(name)
    _ledgers.drop(name)


@pytest.fixture
def _emptied_postgres_url(_ledgers: Ledgers) -> Iterator[str]:
    name = _ledgers.borrow()
    yield _ledgers.url(name)
    _ledgers.give_back(name)


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of the test's own, without databases, to stop, kill and start again."""
    with PostgresServer(durable=True) as server:
        yield server


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """SQLAlchemy URL of a migrated SQLite file of the test's own."""
    path = tmp_path / "ledger.sqlite"
    shutil.copyfile(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """SQLAlchemy URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'empty.sqlite'}"


@pytest.fixture(scope="session")
def _object_store() -> Iterator[int]:
    from tests.store import object_store  # it loads moto and boto3, which few tests want

    with object_store() as port:
        yield port


@pytest.fixture
def bucket(_object_store: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket of the test's own on a real server, which this process and its children find and may use."""
    from tests.store import Bucket

    made = Bucket(_object_store, f"b-{hashlib.sha256(os.fsencode(tmp_path)).hexdigest()[:16]}")
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    get_store.cache_clear()
    yield made
    get_store.cache_clear()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of a migrated ledger; the test runs once on each database."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "_emptied_postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of a database without tables; the test runs once on each database."""
    return str(request.getfixturevalue("empty_sqlite_url" if request.param == "sqlite" else "empty_postgres_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated ledger without rows; the test runs once on each database."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    """A migrated ledger without rows on PostgreSQL."""
    database = Database(postgres_url)
    yield database
    database.close()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    """A migrated ledger without rows on SQLite."""
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> MakeSettings:
    """Builds settings of the test's own: `settings(database_url=..., broker_url=..., batch_size=4)`.

    The home is a folder in tmp_path unless another is given. `tests.environment.variables` turns them
    into the environment of a subprocess.
    """

    def make(**values: Any) -> Settings:
        return Settings(**{"home": tmp_path / "home", **values})

    return make
