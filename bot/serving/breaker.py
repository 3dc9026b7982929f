"""A circuit breaker: calls to a server that keeps failing fail at once for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.domain.errors import ModelUnreachable


class CircuitBreaker:
    """Opens after ``failures`` calls in a row have failed, for ``seconds`` (Nygard, Release It!).

    Then one call may try: it closes the breaker, or keeps it open as long again. A call has
    failed when it raised ModelUnreachable; any other error says nothing about the server.
    Safe from several threads.
    """

    def __init__(
        self,
        failures: int = 3,
        seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed, self._seconds, self._clock = failures, seconds, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._opens_at = 0.0
        self._trying = False
        self._reason = ""

    @property
    def is_open(self) -> bool:
        """Whether calls fail at once; after the wait, one trial call may pass (half-open)."""
        return self._failed >= self._allowed

    @property
    def problem(self) -> str:
        """The last failure while open; "" where closed or where the next call is the trial."""
        return self._reason if self.is_open and self._clock() < self._opens_at else ""

    @contextmanager
    def call(self) -> Iterator[None]:
        """Guards one call. Raises ModelUnreachable at once while the breaker is open."""
        trial = self._admit()
        try:
            yield
        except ModelUnreachable as error:
            self._record(str(error))
            raise
        else:
            self._record("")
        finally:
            if trial:
                self._trying = False

    def _admit(self) -> bool:
        """True where the call is the trial."""
        with self._lock:
            if self._failed < self._allowed:
                return False
            wait = self._opens_at - self._clock()
            if wait <= 0 and not self._trying:
                self._trying = True
                return True
        again = f"in {wait:.0f} seconds" if wait > 0 else "right now"
        raise ModelUnreachable(
            f"The model's server failed {self._failed} times in a row and is tried again {again}. "
            f"Last: {self._reason}"
        )

    def _record(self, failure: str) -> None:
        with self._lock:
            if not failure:
                self._failed = 0
                return
            self._failed += 1
            self._reason = failure
            self._opens_at = self._clock() + self._seconds
