"""How long a request may take to come, for whoever sends it a byte at a time holds a connection for nothing."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds in which a request must have come, and never more than that without a byte; and bytes for which it gets one
#: second more, as Apache's mod_reqtimeout has it, so that a large upload over a slow line is welcome.
PATIENCE, RATE = 60.0, 1000


class Patient(H11Protocol):
    """A connection that is closed when its request does not come, or comes too slowly."""

    #: By the clock of the loop; None: the request is here, and the answer may take its time.
    _deadline: float | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait(0)

    def data_received(self, data: bytes) -> None:
        """Take the next bytes, and wait for more where they are not all."""
        super().data_received(data)
        self._wait(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, came: int) -> None:
        if self._is_here():
            self._deadline = None
            return
        latest = self.loop.time() + PATIENCE
        self._deadline = latest if self._deadline is None else min(latest, self._deadline + came / RATE)
        if self._timer is None:
            self._timer = self.loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self.flow.read_paused:  # we are those who are slow
            self._deadline = self.loop.time() + PATIENCE
        if self.loop.time() >= self._deadline:
            self.transport.close()
        else:
            self._timer = self.loop.call_at(self._deadline, self._look)

    def _is_here(self) -> bool:
        """Whether a whole request is being answered; what is sent to one that was refused already is none."""
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete
