"""Wrong passwords by who gives them, so that none is found by trying them all."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque

#: Wrong passwords that an address has in a while, and seconds of it.
MOST, WHILE = 10, 60.0
#: Addresses that are remembered.
_REMEMBERED = 10_000


class Guesses:
    """The last wrong passwords of each address."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def note(self, address: str) -> bool:
        """A wrong one was given; True: that was one too many."""
        who = _neighbourhood(address)
        times = self._wrong.setdefault(who, deque(maxlen=MOST))
        times.append(time.monotonic())
        self._wrong.move_to_end(who)
        if len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)
        return self.rest(address) > 0

    def rest(self, address: str) -> float:
        """Seconds until the address may try again; 0: now."""
        times = self._wrong.get(_neighbourhood(address))
        if times is None or len(times) < MOST:
            return 0.0
        return max(0.0, times[0] + WHILE - time.monotonic())


def _neighbourhood(address: str) -> str:
    """Of IPv6 the network, whose 2**64 addresses are all one host's."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False)) if known.version == 6 else address
