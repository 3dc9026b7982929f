"""An event loop in a thread of its own, to which other threads hand work."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class BackgroundLoop:
    """Runs until `close`; may be used from any thread but its own."""

    def __init__(self, name: str, *, timeout: float) -> None:
        self._timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine there and returns its result; TimeoutError where it is stuck."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(self._timeout)

    def call(self, operation: Callable[[], Result]) -> Result:
        """Calls a function there and returns its result."""

        async def run() -> Result:
            return operation()

        return self.run(run())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
