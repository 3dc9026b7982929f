"""Calls a function that may hang in a thread of its own, one call in flight at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class SingleFlight(Generic[Result]):
    """Shares one call among all callers, so that a part that hangs does not pile up threads.

    DBOS, for one, tries a database that is away again and again, until it is back. Safe from
    several threads.
    """

    def __init__(self, ask: Callable[[], Result]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: Future[Result] | None = None

    def ask(self) -> Future[Result]:
        """The result of the call in flight, which is begun if there is none."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                threading.Thread(target=self._fill, args=(self._answer,), daemon=True).start()
            return self._answer

    def _fill(self, answer: Future[Result]) -> None:
        try:
            answer.set_result(self._ask())
        except BaseException as error:  # noqa: BLE001 - the callers get it
            answer.set_exception(error)
