"""Database and Redis: do they answer, and are they set up so that nothing is lost and nothing done twice."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from core import clock as ledger_clock
from core import room, sqlite
from core.database import Database
from core.errors import LineError
from core.queues import Inspector, hard_time_limit
from core.settings import Settings
from digitline.doctor.finding import Caution
from digitline.doctor.mounts import mount_of

#: Seconds between two clocks that are worth a word: by then a job may seem to start before it was asked for.
_CLOCKS_APART = 5.0
#: Seconds between two clocks at which hooks' consumers refuse what they are told.
_CLOCKS_FAR_APART = 300.0
#: Major version of Redis under which Celery's transport makes no promise.
_OLDEST_REDIS = 6
#: Share of Redis' memory that may be in use.
_MEMORY_IN_USE = 0.9


@contextmanager
def ledger(settings: Settings) -> Iterator[Database]:
    """The ledger, open, of this version's revision."""
    with closing(Database(settings.database)) as opened:
        opened.check_revision()
        yield opened


def database(settings: Settings) -> str:
    """The ledger answers, has this version's tables, takes rows, and lies where its locks hold."""
    with ledger(settings) as opened:
        room.check_ledger(opened)
        where = opened.address
        if not opened.sqlite:
            return where
        file = Path(opened.url.database or "")
    mount = mount_of(file.parent)
    if mount is not None and mount.of_network:
        mend = "Put the home on a disk of this host, or name a PostgreSQL with DIGITLINE_DATABASE_URL."
        raise LineError(f"The SQLite ledger {file} lies on {mount.kind}, where its locks do not hold.", mend=mend)
    version = sqlite.library.sqlite_version
    if not sqlite.wal_is_safe(sqlite.library.sqlite_version_info):
        mend = "`make setup` installs a newer one where there is a wheel for this platform; else update SQLite."
        raise Caution(f"SQLite {version} has no sound write-ahead log, so readers and writers wait.", mend=mend)
    return f"{where}, SQLite {version}"


def clock(settings: Settings) -> str:
    """The clocks of this host and of the database agree; leases do not care, for they live by the database's clock."""
    with ledger(settings) as opened:
        before = time.time()
        theirs = ledger_clock.read(opened).timestamp()
        after = time.time()
    # Within the question's own time nobody can tell.
    apart = max(before - theirs, theirs - after, 0.0)
    if apart <= _CLOCKS_APART:
        return f"this host and the database are {apart:.1f} s apart"
    harm = "Leases are safe, but the times in logs, folder names and jobs do not fit together."
    if apart > _CLOCKS_FAR_APART:
        harm += " Consumers of hooks refuse what is signed at such a time, and schedules run at the wrong one."
    error = LineError if apart > _CLOCKS_FAR_APART else Caution
    told = f"This host's clock and the database's are {apart:.0f} s apart. {harm}"
    raise error(told, mend="Have both set by NTP (`timedatectl set-ntp true`).")


def redis(settings: Settings) -> str:
    """Redis answers, throws no message away, keeps them over a restart, and has room."""
    with closing(Inspector(settings)) as inspector:
        depths = inspector.depths()
        told = inspector.info()
        _check_messages_are_kept(told)
        room.check_redis(inspector)
        _check_what_comes(told)
    waiting = ", ".join(f"{depth} waiting in {queue}" for queue, depth in depths.items())
    name = "Valkey" if "valkey_version" in told else "Redis"
    return f"{waiting}; {name} {told.get('valkey_version', told.get('redis_version'))}"


def _check_messages_are_kept(told: Mapping[str, object]) -> None:
    """Raises LineError where messages may be dropped, or none are taken."""
    version = str(told.get("redis_version", ""))
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST_REDIS:
        raise LineError(f"Redis {version} is too old.", mend=f"Install Redis {_OLDEST_REDIS} or newer, or Valkey.")
    if told.get("role", "master") != "master":
        mend = "Name the one that it is a copy of with DIGITLINE_BROKER_URL."
        raise LineError("This Redis is a copy of another, and takes no messages.", mend=mend)
    policy = str(told.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        raise LineError(
            f"Redis throws messages away where its memory is full (maxmemory-policy {policy}).",
            mend="Set `maxmemory-policy noeviction` in redis.conf; now: `redis-cli config set maxmemory-policy noeviction`.",
        )
    if _number(told, "aof_enabled") and told.get("aof_last_write_status", "ok") != "ok":
        raise LineError("Redis could not write its last messages to disk.", mend="Make room where it keeps its files.")


def _check_what_comes(told: Mapping[str, object]) -> None:
    """Raises Caution where its memory is nearly full, or a restart costs time; nothing is lost, for the ledger knows."""
    limit, used = _number(told, "maxmemory"), _number(told, "used_memory")
    if limit and used > limit * _MEMORY_IN_USE:
        mend = "Raise maxmemory, or find what else fills it (`redis-cli --bigkeys`); the line needs a kB per message."
        raise Caution(f"Redis uses {used / 1e6:.0f} MB of {limit / 1e6:.0f} MB.", mend=mend)
    if not _number(told, "aof_enabled") and not told.get("save"):
        raise Caution(
            "Redis forgets every message when it restarts. Nothing is lost: the scheduler sends them again.",
            mend="Set `appendonly yes` in redis.conf, so that it need not.",
        )


def _number(told: Mapping[str, object], name: str) -> int:
    return int(str(told.get(name, 0)))


def times(settings: Settings) -> str:
    """No message comes back while its batch is still worked on."""
    limit = hard_time_limit(settings)
    if settings.visibility_timeout <= limit:
        raise LineError(
            f"Redis delivers a message again after {settings.visibility_timeout} s (DIGITLINE_VISIBILITY_TIMEOUT), and a "
            f"batch may run {limit} s.",
            mend=f"Set DIGITLINE_VISIBILITY_TIMEOUT above {limit}, or lower DIGITLINE_SOFT_TIME_LIMIT.",
        )
    if settings.lease_time < settings.resend_after:
        raise Caution(
            f"A lease lasts {settings.lease_time:g} s (DIGITLINE_LEASE_TIME), less than a message may be on its way: "
            f"{settings.resend_after:g} s (DIGITLINE_RESEND_AFTER).",
            mend="Let leases last longer: some batches are scored twice, and counted once.",
        )
    return f"a batch may run {limit} s, its message comes back after {settings.visibility_timeout} s"
