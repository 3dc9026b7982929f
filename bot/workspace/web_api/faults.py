"""Injects faults into Web API calls."""

import random
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """What a call answers instead of, or after, being carried out.

    With status 0 the connection is cut without an answer. `delay` is in seconds.
    `carried_out` loses only the answer: what was asked for has happened.
    """

    error: str = "internal_error"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    carried_out: bool = False


RATE_LIMITED = Fault("ratelimited", 429, {"Retry-After": "1"})
SERVER_ERROR = Fault("internal_error", 500)
CUT = Fault("connection_cut", 0)
ANSWER_LOST = Fault("answer_lost", 0, carried_out=True)


class Faults:
    """Faults by method, taken in the order they were added; usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Fault]] = {}
        self._share = 0.0
        self._common: tuple[Fault, ...] = ()
        self._methods: frozenset[str] = frozenset()
        self._random = random.Random(0)  # noqa: S311 - a repeatable storm, not a secret

    def add(
        self,
        method: str,
        *,
        error: str = "",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        delay: float = 0.0,
        carried_out: bool = False,
    ) -> None:
        """Makes the next `times` calls of a method fail.

        `error` is Slack's code; without one, a 429 says "ratelimited" and anything else
        "internal_error".
        """
        code = error or ("ratelimited" if status == 429 else "internal_error")
        fault = Fault(code, status, dict(headers or {}), delay, carried_out)
        with self._lock:
            self._waiting.setdefault(method, []).extend([fault] * times)

    def sometimes(
        self,
        share: float,
        faults: Sequence[Fault] = (RATE_LIMITED, SERVER_ERROR, CUT),
        *,
        methods: Collection[str] = (),
        seed: int = 0,
    ) -> None:
        """Makes this share of all calls fail by one of `faults`, until `clear`.

        `methods` keeps it to those. The same seed gives the same draws.
        """
        with self._lock:
            self._share, self._common = share, tuple(faults)
            self._methods = frozenset(methods)
            self._random = random.Random(seed)  # noqa: S311

    def take(self, method: str) -> Fault | None:
        with self._lock:
            waiting = self._waiting.get(method)
            if waiting:
                return waiting.pop(0)
            if self._methods and method not in self._methods:
                return None
            if self._random.random() < self._share:
                return self._random.choice(self._common)
            return None

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
            self._share = 0.0
