"""Failures on demand, to see how the bot takes them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """What a call answers instead of being carried out."""

    error: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Faults:
    """Faults by method, taken in the order they were added; usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Fault]] = {}

    def add(
        self,
        method: str,
        *,
        error: str = "",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
    ) -> None:
        """Makes the next `times` calls of a method fail.

        `error` is Slack's code; without one, a 429 says "ratelimited" and anything else
        "internal_error".
        """
        code = error or ("ratelimited" if status == 429 else "internal_error")
        with self._lock:
            faults = self._waiting.setdefault(method, [])
            faults.extend([Fault(code, status, dict(headers or {}))] * times)

    def take(self, method: str) -> Fault | None:
        with self._lock:
            faults = self._waiting.get(method)
            return faults.pop(0) if faults else None

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
