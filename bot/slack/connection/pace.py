"""How much of Slack's patience is left: what this process may still call this minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pace:
    """A bucket that fills by ``per_minute`` and holds ``burst``. Safe from several threads."""

    def __init__(
        self, per_minute: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_minute / 60
        self._burst = self._left = burst
        self._clock = clock
        self._at = clock()
        self._lock = threading.Lock()

    def take(self, calls: float = 1.0) -> bool:
        """Whether that many calls may be made now; then they are counted."""
        with self._lock:
            self._fill()
            if self._left < calls:
                return False
            self._left -= calls
            return True

    def pause(self, seconds: float) -> None:
        """Nothing for a while: Slack has said so."""
        with self._lock:
            self._fill()
            self._left = min(self._left, 1 - seconds * self._per_second)

    def _fill(self) -> None:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now


class Paces:
    """A little under what Slack promises to every app: tiers 2, 4 and 3."""

    def __init__(self) -> None:
        self.starts = Pace(18, 18)
        self.appends = Pace(90, 60)
        self.updates = Pace(45, 40)
