"""Client-side token buckets per rate-limit tier: what this process may still call this minute.

https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """Fills by ``per_minute`` tokens and holds at most ``burst``. Safe from several threads."""

    def __init__(
        self, per_minute: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_minute / 60
        self._burst = self._tokens = burst
        self._clock = clock
        self._filled_at = clock()
        self._lock = threading.Lock()

    def take(self, calls: float = 1.0) -> bool:
        """Whether that many calls may be made now; then they are counted."""
        with self._lock:
            self._fill()
            if self._tokens < calls:
                return False
            self._tokens -= calls
            return True

    def pause(self, seconds: float) -> None:
        """No call for a while: what Slack says in ``Retry-After``."""
        with self._lock:
            self._fill()
            self._tokens = min(self._tokens, 1 - seconds * self._per_second)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now


class RateLimits:
    """A little under what Slack allows every app per minute: tiers 2 (20), 4 (100) and 3 (50)."""

    def __init__(self) -> None:
        self.starts = TokenBucket(18, 18)
        self.appends = TokenBucket(90, 60)
        self.updates = TokenBucket(45, 40)
