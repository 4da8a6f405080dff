"""A TCP proxy on loopback that a test can cut or stop up, as networks do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

#: Closes by a reset instead of an orderly end: linger for no time at all.
_RESET = struct.pack("ii", 1, 0)
_CHUNK = 65536


class Proxy:
    """Hands every connection on to a port of loopback; close it, or use it in a `with`."""

    def __init__(self, target: int) -> None:
        """Listen on a free port.

        Args:
            target: port that connections are handed on to; nobody needs to listen there yet.
        """
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._over = False
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def reset(self) -> int:
        """Cut every connection by a reset; returns how many sockets there were."""
        with self._lock:
            cut, self._sockets = self._sockets, set()
        for one in cut:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # A thread that reads it would keep it open otherwise.
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        return len(cut)

    @contextlib.contextmanager
    def black_hole(self) -> Iterator[None]:
        """Let nothing through, and say nothing, as long as the block lasts."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def close(self) -> None:
        """Stop listening and cut what is left."""
        # Closed under a thread that waits in it, a socket goes on listening; and where the wait is begun anew, as after the
        # process was stopped, it is for connections of whichever socket has its number by then.
        self._over = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._accepting.join()
        self._listener.close()
        self._open.set()
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._over:
                client.close()
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()  # nobody listens there now
            return
        server.settimeout(None)
        with self._lock:
            self._sockets |= {client, server}
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        self._pump(client, server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                self._open.wait()
                sink.sendall(data)
        except OSError:
            pass  # cut, by us or by one of the two
        for one in (source, sink):
            with self._lock:
                self._sockets.discard(one)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
