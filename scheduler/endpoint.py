"""The metrics over HTTP, for Prometheus: answers `GET /metrics` beside the scheduler's loop."""

from __future__ import annotations

import logging

import prometheus_client
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from core.errors import LineError
from core.settings import Settings
from scheduler.metrics import LineCollector
from scheduler.setbacks import Setbacks

log = logging.getLogger(__name__)


class Endpoint:
    """Answers in threads of its own until it is closed or the process ends."""

    def __init__(self, settings: Settings, port: int, setbacks: Setbacks | None = None) -> None:
        """Begin to listen.

        Args:
            settings: of this process.
            port: 0: any that is free.
            setbacks: of the scheduler's loop; default: it has none.

        Raises:
            LineError: the address cannot be listened on.
            LedgerUnreachable: the database does not answer.
        """
        # They would double the number of series, and nobody asks for them.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._line = LineCollector(settings, setbacks)
        # The line's families have no names before they are read; a scrape may ask for some of them all the same.
        registry = CollectorRegistry(support_collectors_without_names=True)
        registry.register(self._line)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        try:
            self._server, self._thread = prometheus_client.start_http_server(port, settings.metrics_address, registry)
        except OSError as error:
            self._line.close()
            raise LineError(
                f"Metrics cannot be served on {settings.metrics_address}, port {port}: {error.strerror}.",
                mend="Set DIGITLINE_METRICS_PORT to a port that is free, on an address of this host.",
            ) from error
        #: Where Prometheus finds it.
        self.url = url(settings, self._server.server_port)

    def close(self) -> None:
        """Stop listening, and let go of every connection."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._line.close()


def url(settings: Settings, port: int | None = None) -> str:
    """Where the metrics are on a port; default: the one that is set."""
    address = settings.metrics_address
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port or settings.metrics_port}/metrics"


def serve(settings: Settings, setbacks: Setbacks | None = None) -> Endpoint | None:
    """Serve the metrics where a port is set.

    Args:
        settings: of this process.
        setbacks: of the scheduler's loop; default: it has none.

    Raises:
        LineError: the address cannot be listened on.
        LedgerUnreachable: the database does not answer.
    """
    if settings.metrics_port is None:
        return None
    endpoint = Endpoint(settings, settings.metrics_port, setbacks)
    log.info("the metrics are at %s", endpoint.url)
    return endpoint
