"""Every setting, its default and its unit; read from `DIGITLINE_*` variables, once per process."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from core.durations import duration
from core.errors import SettingsError
from core.hooks import Hook, hooks_of, key_of
from core.places import Places
from core.sources import Prefix, prefixes_of
from core.vocabulary import Runtime

PREFIX = "DIGITLINE_"


def _length(value: object) -> object:
    return duration(value) if isinstance(value, str) else value


class Settings(Places):
    """What may be set, by environment variable: `batch_size` is `DIGITLINE_BATCH_SIZE`."""

    # An empty variable counts as none: `DIGITLINE_BROKER_URL=${BROKER_URL:-}` is how Compose files leave one out.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # it may be a secret
    )

    #: SQLAlchemy URL of the ledger; default: SQLite in the home.
    database_url: SecretStr | None = None
    #: Celery URL of Redis; default: the embedded server's socket.
    broker_url: SecretStr | None = None
    #: Prefix of every key in Redis, so that one server may be shared.
    key_prefix: str = "digitline:"

    #: Inboxes in object storage, as `s3://bucket/inbox` with white space between them; default: none.
    inbox_urls: str | None = None
    #: Seconds between two looks at those in which nothing new was found.
    inbox_urls_interval: float = Field(30.0, gt=0)
    #: Seconds between two looks at the inbox where no event announces a change.
    scan_interval: float = Field(2.0, gt=0)
    #: Seconds that a drop must lie still before it is claimed.
    settle_time: float = Field(1.5, ge=0)

    #: Bytes that must be free on the disk of the drops; with fewer, none is taken from the inbox.
    min_free: int = Field(100 * 1024 * 1024, ge=0)

    #: Images in one batch; default: by the size of the job.
    batch_size: int | None = Field(None, ge=1, le=4096)
    #: Jobs of up to this many images go to the queue `express`.
    express_limit: int = Field(256, ge=1)
    #: Folder of the model that scores; default: the shipped one.
    model: Path | None = None
    #: What runs the networks: `keras`, or `litert` or `litert-int8`, which load no TensorFlow.
    runtime: Runtime = Runtime.KERAS
    #: Share of wrong labels to bear among those that are not marked `uncertain`, above 0 and below 1.
    target_error: float = Field(0.005, gt=0, lt=1)
    #: Whether a picture of several digits is read as one string, where nobody says otherwise.
    split: bool = False
    #: Share of a job's images that may be rejected or quarantined before it pauses, 0 to 1; default: all of them.
    max_rejected: float | None = Field(None, ge=0, le=1)
    #: Share of the batches that the challenger scores in the shadow, 0 to 1.
    challenger_share: float = Field(0.1, ge=0, le=1)
    #: Folders of labelled digits that a model must pass before it is promoted, written as in PATH; default: none.
    evaluation_sets: Annotated[tuple[Path, ...] | None, NoDecode] = None
    #: Images with more pixels than this are rejected before they are decoded.
    max_pixels: int = Field(100_000_000, ge=784)
    #: Files of more bytes than this are rejected before they are read.
    max_bytes: int = Field(64 * 1024 * 1024, ge=1)

    #: Worker processes; default: one per core this process may use.
    concurrency: int | None = Field(None, ge=1)
    #: Seconds a batch may take before another worker may take it over; renewed while it is worked on.
    lease_time: float = Field(60.0, gt=0)
    #: Attempts at a batch before its images are quarantined.
    max_attempts: int = Field(3, ge=1)
    #: Batches of each queue whose messages Redis holds at most; the others wait in the ledger.
    window: int = Field(1000, ge=1)
    #: Seconds between two sweeps.
    sweep_interval: float = Field(5.0, gt=0)
    #: Seconds after sending before a batch that is not in Redis any more counts as lost.
    resend_after: float = Field(10.0, gt=0)
    #: Seconds Redis waits for an acknowledgement before it delivers a message again; far above the longest batch.
    visibility_timeout: int = Field(3600, ge=1)
    #: Seconds a batch may run before it is interrupted; the child is killed a quarter later.
    soft_time_limit: int = Field(600, ge=1)
    #: Seconds a process gets to finish on SIGTERM.
    grace_time: int = Field(20, ge=1)

    #: Address Flower listens on.
    flower_address: str = "127.0.0.1"
    #: Port Flower listens on.
    flower_port: int = Field(5555, ge=0, le=65535)
    #: `user:password` for Flower; required where it listens beyond loopback.
    flower_auth: SecretStr | None = None
    #: Path that a proxy serves Flower below, such as `/flower`; default: none.
    flower_url_prefix: str | None = Field(None, pattern=r"^(/[A-Za-z0-9_~-]+)*$")
    #: Where a browser finds the web page, for the links to a job's; default: nowhere.
    flower_web_url: str | None = None

    #: Address the web page is served on.
    web_address: str = "127.0.0.1"
    #: Port it is served on.
    web_port: int = Field(8028, ge=0, le=65535)
    #: `user:password` for it; required where it is served beyond loopback.
    web_auth: SecretStr | None = None
    #: Where a browser finds Flower, for the links to it; default: nowhere.
    web_flower_url: str | None = None
    #: Files of one upload at most, and their bytes together.
    web_upload_files: int = Field(10_000, ge=1)
    web_upload_bytes: int = Field(2_000_000_000, ge=1)

    #: Port the scheduler serves metrics on, for Prometheus; default: none.
    metrics_port: int | None = Field(None, ge=1, le=65535)
    #: Address it serves them on; they have no password.
    metrics_address: str = "127.0.0.1"

    #: What is told when a job ends: URLs with white space between them; default: nothing.
    webhook_url: SecretStr | None = None
    #: Signs what is told, so that consumers know who says it: `whsec_` and 24 to 64 bytes in Base64.
    webhook_secret: SecretStr | None = Field(None, validate_default=True)
    #: How long ago a job ended of which the scheduler removes everything, such as `90d`; default: nothing is removed.
    retention: Annotated[timedelta | None, BeforeValidator(_length)] = None

    #: Folder of the four MNIST IDX files; default: Keras downloads them.
    data: Path | None = None
    #: For fault tests: folder in which a file named after a crash point kills the next process that gets there.
    crash_points: Path | None = None
    #: Lowest level that is logged.
    log_level: str = "INFO"

    @field_validator("evaluation_sets", mode="before")
    @classmethod
    def _path_list(cls, value: object) -> object:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("inbox_urls")
    @classmethod
    def _prefixes(cls, value: str | None) -> str | None:
        prefixes_of(value or "")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        levels = ("DEBUG", "INFO", "WARNING", "ERROR")
        if value.upper() not in levels:
            raise ValueError(f"must be one of {', '.join(levels)}")
        return value.upper()

    @field_validator("flower_auth", "web_auth")
    @classmethod
    def _user_and_password(cls, value: SecretStr | None) -> SecretStr | None:
        user, colon, password = value.get_secret_value().partition(":") if value is not None else ("", "", "")
        if value is not None and not (user and colon and password):
            raise ValueError("must be user:password")
        return value

    @field_validator("flower_web_url", "web_flower_url")
    @classmethod
    def _address_of_a_page(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _urls(cls, value: SecretStr | None) -> SecretStr | None:
        hooks_of(value.get_secret_value() if value is not None else "")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _key(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            key_of(value.get_secret_value())
        elif info.data.get("webhook_url") is not None:
            raise ValueError(f"{PREFIX}WEBHOOK_URL is set, and nothing is told without a signature")
        return value

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """What is told when a job ends."""
        return hooks_of(self.webhook_url.get_secret_value() if self.webhook_url is not None else "")

    @property
    def inbox_prefixes(self) -> tuple[Prefix, ...]:
        """Where people drop images in object storage."""
        return prefixes_of(self.inbox_urls or "")

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the ledger."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home_folder / 'digitline.sqlite'}"

    @property
    def embedded_queue(self) -> bool:
        """True where no Redis is named, so that the line brings its own."""
        return self.broker_url is None

    @property
    def broker(self) -> str:
        """Celery URL of Redis."""
        if self.broker_url is not None:
            return self.broker_url.get_secret_value()
        return f"redis+socket://{self.socket}"

    @property
    def processes(self) -> int:
        """Worker processes on this host."""
        return self.concurrency or _cores()

    @property
    def images_at_once(self) -> int:
        """Images that go through a network at once; more are no quicker and take more memory."""
        return self.batch_size or 512


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: the cores this process may use, not all the host has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def refuse_unknown_variables(names: Iterable[str]) -> None:
    """Raises SettingsError where one of them looks like a setting and is none."""
    known = {name.upper() for name in Settings.model_fields}
    for name in names:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
            every = ", ".join(f"{PREFIX}{setting}" for setting in sorted(known))
            mend = f"Did you mean {PREFIX}{near[0]}?" if near else f"The settings are: {every}."
            raise SettingsError(f"There is no setting {name}.", mend=mend)


@cache
def get_settings() -> Settings:
    """Read the settings of this process.

    Raises:
        SettingsError: a `DIGITLINE_` variable is unknown or its value makes no sense.
    """
    refuse_unknown_variables(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]  # the input may be a secret
        name = f"{PREFIX}{'.'.join(map(str, first['loc'])).upper()}"
        why = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name} makes no sense: {why}.") from error
