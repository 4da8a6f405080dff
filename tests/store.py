"""A real HTTP server that speaks S3, and a bucket on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from core.sources import Prefix

#: What the environment of every process that may read the bucket holds.
KEY, SECRET = "AKIADIGITLINETESTS", "a/secret+of+the+tests"


class Bucket:
    """A bucket, and what a test does to it behind the line's back."""

    def __init__(self, port: int, name: str) -> None:
        self.name, self.port = name, port
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.client.create_bucket(Bucket=name)

    def url(self, prefix: str = "") -> str:
        """As a person writes it."""
        return f"s3://{self.name}/{prefix}"

    def prefix(self, key: str = "") -> Prefix:
        """As the line knows it; the key ends in `/` or is empty."""
        return Prefix(self.name, key)

    def put(self, key: str, data: bytes = b"picture") -> None:
        """Put one object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Put every file below a folder, under its path."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(prefix + path.relative_to(folder).as_posix(), path.read_bytes())

    def get(self, key: str) -> bytes:
        """The bytes of an object."""
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def remove(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=self.name, Key=key)

    def keys(self, prefix: str = "") -> list[str]:
        """Every key below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def environment(self, port: int | None = None) -> Mapping[str, str]:
        """The variables by which a process finds the store, or a proxy before it, and may use it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port or self.port}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def object_store() -> Iterator[int]:
    """A server on a free port of loopback, and that port; its objects live as long as it does."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield int(server.get_host_and_port()[1])
    finally:
        server.stop()
