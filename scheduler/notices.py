"""Hooks are told of jobs that ended: from the ledger, again and again until they take it or days have gone by."""

from __future__ import annotations

import logging
import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from core.crash import crash_point
from core.database import Database
from core.hooks import Hook, key_of, signature
from core.ledger import notices
from core.ledger.notices import Notice
from core.settings import Settings
from scheduler.post import Answer, post

log = logging.getLogger(__name__)

#: Seconds that a hook has for its answer; less than a process gets to end.
TIMEOUT = 10.0
#: Seconds for which a notice is one scheduler's; longer than a try takes.
_LEASE = 60.0
#: Seconds from the first try that fails to the second; each later one is this many times as far from the one before it.
_FIRST_PAUSE, _GROWTH, _LONGEST_PAUSE = 10.0, 4, 8 * 3600.0
#: Age of a notice, in seconds, at which a try that fails is the last: some 16 tries.
GIVE_UP_AFTER = 3 * 86_400.0
#: Notices that one hook is told in one round.
_AT_ONCE = 100
_GONE = 410


class Messenger:
    """Tells the hooks in a thread of its own, a round at a time, so that a slow one keeps nobody waiting."""

    def __init__(self, settings: Settings, database: Database, stop: threading.Event) -> None:
        """Have the hooks of the settings told of what ends from now on.

        Args:
            settings: of this process.
            database: the ledger, for this thread.
            stop: once it is set, no try begins.

        Raises:
            LedgerUnreachable: the database does not answer.
        """
        self._settings = settings
        self._hooks = settings.hooks
        secret = settings.webhook_secret
        self._key = key_of(secret.get_secret_value()) if secret is not None else b""  # without hooks
        notices.set_hooks(database, self._hooks)
        self._stop = stop
        self._rounds = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hooks")
        self._round: Future[None] | None = None

    def turn(self, *, wait: bool = False) -> None:
        """Begin a round, unless one is going on.

        Args:
            wait: whether to return once every hook was told what is due, or a try of each failed.

        Raises:
            LedgerUnreachable: in the round before, or in the one waited for, the database did not answer; the next one
                tries again.
        """
        if not self._hooks or (self._round is not None and not self._round.done()):
            return
        before, self._round = self._round, self._rounds.submit(self._tell_all)
        for ended in (before, self._round if wait else None):
            if ended is not None:
                ended.result()

    def _tell_all(self) -> None:
        with closing(Database(self._settings.database)) as database:
            for hook in self._hooks:
                self._tell(database, hook)

    def _tell(self, database: Database, hook: Hook) -> None:
        """Tell a hook what is due; after a try that failed, the rest may wait for the next round."""
        for _ in range(_AT_ONCE):
            if self._stop.is_set():
                return
            notice = notices.claim_due(database, hook, _LEASE)
            if notice is None or not self._try(database, hook, notice):
                return

    def _try(self, database: Database, hook: Hook, notice: Notice) -> bool:
        crash_point("hook.claimed")
        error, answer = self._send(hook, notice)
        crash_point("hook.sent")
        if error is None:
            notices.delivered(database, notice)
            log.info("job %s: %s was told (%s)", notice.job_id, hook.address, notice.id)
            return True
        again_in = pause(notice, answer)
        notices.failed(database, notice, error, again_in)
        what_next = f"Trying again in {again_in:.0f} s" if again_in is not None else "It is given up"
        log.warning("job %s: %s was not told (%s): %s. %s.", notice.job_id, hook.address, notice.id, error, what_next)
        return False

    def _send(self, hook: Hook, notice: Notice) -> tuple[str | None, Answer | None]:
        """Why it failed, None where it did not; and what the hook answered, if it did."""
        try:
            answer = post(hook.url, notice.body.encode(), self._headers(notice), TIMEOUT)
        except OSError as error:
            return error.strerror or str(error), None
        if 200 <= answer.status < 300:
            return None, answer
        redirect = ", which is not followed" if 300 <= answer.status < 400 else ""
        return f"it answered with HTTP {answer.status}{redirect}", answer

    def _headers(self, notice: Notice) -> dict[str, str]:
        timestamp = int(notice.tried_at.timestamp())
        return {
            "Content-Type": "application/json",
            "User-Agent": "Digitline",
            "webhook-id": notice.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, notice.id, timestamp, notice.body.encode()),
        }


def pause(notice: Notice, answer: Answer | None) -> float | None:
    """Seconds from a try that failed to the next one; None: there is none.

    They grow fourfold, and a random part of up to a half is taken off, so that what failed together is not tried
    together ("equal jitter": M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015).
    """
    if notice.age >= GIVE_UP_AFTER or (answer is not None and answer.status == _GONE):
        return None
    longest = min(_FIRST_PAUSE * _GROWTH ** min(notice.tries - 1, 10), _LONGEST_PAUSE)
    asked = answer.retry_after if answer is not None else None
    return max(random.uniform(longest / 2, longest), min(asked or 0.0, _LONGEST_PAUSE))
