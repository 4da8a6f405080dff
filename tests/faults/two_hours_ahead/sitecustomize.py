"""Put the clock of a Python process two hours ahead: Python runs this at its start where the folder is on its path.

That of `datetime` stays, whose class libraries in C have by heart.
"""

from __future__ import annotations

import time

AHEAD = 7200

_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + AHEAD
time.time_ns = lambda: _time_ns() + AHEAD * 10**9
