"""Asking a part that may be away, without waiting for ever and without piling up who waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class SingleFlight(Generic[Result]):
    """Asks in a thread of its own, and not again before it was answered. Safe from several threads.

    DBOS, for one, tries a database that is away again and again, until it is back.
    """

    def __init__(self, ask: Callable[[], Result]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: Future[Result] | None = None

    def ask(self) -> Future[Result]:
        """What is answered now, or to whoever has asked before and waits still."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                threading.Thread(target=self._fill, args=(self._answer,), daemon=True).start()
            return self._answer

    def _fill(self, answer: Future[Result]) -> None:
        try:
            answer.set_result(self._ask())
        except BaseException as error:  # noqa: BLE001 - whoever asks gets it
            answer.set_exception(error)
