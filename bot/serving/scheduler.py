"""Continuous batching: one thread owns the context and serves all requests in turn.

Every step computes one batch: the next token of every answer in progress, and a piece of one
prompt after another. So a long prompt delays the others' words by one piece, not by its length.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass

from bot.errors import ModelError
from bot.serving.llama import CLOSED, Batch, Context
from bot.serving.requests import Request, cancelled
from bot.serving.sequences import SequencePool

logger = logging.getLogger(__name__)

PROMPT_PIECE = 256  # tokens of prompts in one batch; what others wait for, too


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Counted since the start, except ``active`` and ``waiting``, which are of this moment.

    ``computed_tokens`` went through the model, ``reused_tokens`` were found in the cache, and
    ``produced_tokens`` are those of answers.
    """

    computed_tokens: int = 0
    reused_tokens: int = 0
    produced_tokens: int = 0
    batches: int = 0
    active: int = 0
    waiting: int = 0


class Scheduler:
    """Requests in from any thread; ``run`` is the body of the owner thread.

    At most ``slots`` requests are served at once and ``waiting_limit`` wait.
    """

    def __init__(
        self, context: Context, pool: SequencePool, *, slots: int, waiting_limit: int
    ) -> None:
        self._context = context
        self._pool = pool
        self._slots = slots
        self._waiting_limit = waiting_limit
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque()
        self._active: deque[Request] = deque()
        self._closing = False
        self._ended: str | None = None
        self._computed = self._reused = self._produced = self._batches = 0

    @property
    def statistics(self) -> EngineStatistics:
        return EngineStatistics(
            computed_tokens=self._computed,
            reused_tokens=self._reused,
            produced_tokens=self._produced + sum(r.produced_tokens for r in list(self._active)),
            batches=self._batches,
            active=len(self._active),
            waiting=len(self._waiting),
        )

    def submit(self, request: Request) -> None:
        """Raises ModelError when too many wait or the engine has ended."""
        with self._changed:
            if self._ended is not None:
                raise ModelError(self._ended)
            if len(self._waiting) >= self._waiting_limit:
                raise ModelError(
                    f"The language model is busy and {len(self._waiting)} more requests wait: "
                    "try again in a minute."
                )
            self._waiting.append(request)
            self._changed.notify()

    def close(self) -> None:
        """Ask ``run`` to end; it does so after the batch in progress."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def run(self) -> str:
        """Serve until ``close`` or a failure; every caller is then told the reason returned."""
        reason = CLOSED
        try:
            while self._admit():
                self._step()
        except ModelError as error:
            logger.exception("The language model failed")
            reason = str(error)
        except Exception:
            logger.exception("The language model failed")
            reason = "The language model failed: see the log, and restart it."
        self._end(reason)
        return reason

    def _admit(self) -> bool:
        """Fill the slots, waiting while there is nothing to do; false when closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._active or self._waiting)
            if self._closing:
                return False
            for request in [request for request in self._waiting if request.cancelled]:
                self._waiting.remove(request)
                request.fail(cancelled())
            begun = []
            while self._waiting and len(self._active) < self._slots:
                begun.append(self._waiting.popleft())
                self._active.append(begun[-1])
        for request in begun:
            request.begin(self._pool)
            self._reused += request.reused_tokens
        return True

    def _step(self) -> None:
        for request in [request for request in self._active if request.cancelled]:
            self._finish(request)
            request.fail(cancelled())
        if not self._active:
            return
        batch, planned = self._plan()
        if not planned:
            raise RuntimeError("requests are active, but none has anything to compute")
        while not self._context.decode(batch):
            if not self._pool.evict():
                raise ModelError(
                    "The model's context is full although nothing can be evicted: restart, and "
                    "if it happens again, report it."
                )
        self._batches += 1
        self._computed += len(batch)
        for request in planned:
            if request.advance(self._context, self._pool):
                self._finish(request)
                request.succeed()
        self._active.rotate(-1)

    def _plan(self) -> tuple[Batch, list[Request]]:
        batch = Batch()
        planned = [
            request
            for request in self._active
            if request.urgent and request.plan(batch, self._pool, 1)
        ]
        for request in self._active:
            room = PROMPT_PIECE - len(batch)
            if room > 0 and not request.urgent and request.plan(batch, self._pool, room):
                planned.append(request)
        return batch, planned

    def _finish(self, request: Request) -> None:
        self._active.remove(request)
        self._produced += request.produced_tokens
        request.end(self._pool)

    def _end(self, reason: str) -> None:
        with self._changed:
            self._ended = reason
            stranded = [*self._active, *self._waiting]
            self._active.clear()
            self._waiting.clear()
        for request in stranded:
            request.fail(ModelError(reason))
