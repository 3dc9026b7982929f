"""Runs coroutines on an event loop in its own thread, for callers in other threads.

A coroutine can be cancelled at any await, also while it waits for a silent server.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import AbstractAsyncContextManager, ExitStack, aclosing
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal

from bot.domain.errors import ModelError
from bot.serving.model import Cancellation

Result = TypeVar("Result")

_POLL_SECONDS = 0.05  # until a cancellation is noticed


class LoopThread:
    """An event loop in a thread of its own. Its methods are called from other threads."""

    def __init__(self, name: str) -> None:
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal(name=name))
        self._lock = Lock()
        self._running: set[Future[Any]] = set()
        self._closed = False

    def keep(self, resource: AbstractAsyncContextManager[Any]) -> None:
        """Enter ``resource`` on the loop; it is exited when the loop closes."""
        self._stack.enter_context(self._portal.wrap_async_context_manager(resource))

    def run(
        self, work: Callable[[], Awaitable[Result]], cancellation: Cancellation | None = None
    ) -> Result:
        """The result of ``work``, or its exception; Cancelled or DeadlineExceeded if stopped."""
        cancellation = cancellation or Cancellation()
        future = self._start(work, cancellation)
        try:
            while not future.done():
                wait([future], timeout=_wait_seconds(cancellation))
                cancellation.check()
            return self._result(future)
        finally:
            future.cancel()

    def iterate(
        self,
        source: Callable[[], AsyncGenerator[Result, None]],
        cancellation: Cancellation | None = None,
    ) -> Iterator[Result]:
        """The items of ``source`` as they arrive. Closing the iterator cancels the source."""
        cancellation = cancellation or Cancellation()
        items: SimpleQueue[Result | Future[None]] = SimpleQueue()

        async def pump() -> None:
            async with aclosing(source()) as produced:
                async for item in produced:
                    items.put(item)

        future = self._start(pump, cancellation)
        future.add_done_callback(items.put)
        try:
            while True:
                try:
                    item = items.get(timeout=_wait_seconds(cancellation))
                except Empty:
                    cancellation.check()
                    continue
                cancellation.check()
                if isinstance(item, Future):
                    self._result(item)
                    return
                yield item
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel all work; callers that wait get a ModelError. May be called again."""
        with self._lock:
            self._closed = True
            running = tuple(self._running)
        for future in running:
            future.cancel()
        self._stack.close()

    def _start(
        self, work: Callable[[], Awaitable[Result]], cancellation: Cancellation
    ) -> Future[Result]:
        cancellation.check()
        with self._lock:
            if self._closed:
                raise _closed()
            future = self._portal.start_task_soon(work)
            self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def _result(self, future: Future[Result]) -> Result:
        try:
            return future.result()
        except CancelledError:
            raise _closed() from None


def _wait_seconds(cancellation: Cancellation) -> float:
    return max(0.0, min(_POLL_SECONDS, cancellation.deadline - time.monotonic()))


def _closed() -> ModelError:
    return ModelError("The language model was closed.")
