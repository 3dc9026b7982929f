"""Continuous batching: one thread owns the context and serves all requests in turn.

Every step computes one batch: the next token of every answer in progress, and a piece of one
prompt after another. So a long prompt delays the others' words by one piece, not by its length.

Whose prompt comes first: each is due when as many tokens are computed, since it was admitted, as
it needs itself. So short prompts overtake long ones, but nobody waits for ever.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass

from bot.domain.errors import ModelBusy, ModelError
from bot.serving.llama_cpp.context import Batch, Context
from bot.serving.llama_cpp.libllama import CLOSED
from bot.serving.llama_cpp.requests import Choice, Generation, Request
from bot.serving.llama_cpp.sequences import SequencePool

logger = logging.getLogger(__name__)

PROMPT_PIECE = 256  # tokens of prompts in one batch; what others wait for, too


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """Counted since the start, except ``active``, ``waiting`` and cells, which are of this moment.

    ``computed_tokens`` went through the model, ``reused_tokens`` were found in the cache,
    ``produced_tokens`` are those of answers, and ``preemptions`` are requests that had to give
    up their place in the cache for a while. Of ``cells``, the room of the cache in tokens,
    ``used_cells`` are taken by requests in progress.
    """

    computed_tokens: int = 0
    reused_tokens: int = 0
    produced_tokens: int = 0
    batches: int = 0
    preemptions: int = 0
    active: int = 0
    waiting: int = 0
    used_cells: int = 0
    cells: int = 0


class Scheduler:
    """Requests in from any thread; ``run`` is the body of the owner thread.

    At most ``slots`` generations are served at once, besides as many choices: those are asked
    about answers in progress, and must not wait for new ones. ``waiting_limit`` of each wait.
    """

    def __init__(
        self,
        context: Context,
        pool: SequencePool,
        *,
        slots: int,
        waiting_limit: int,
    ) -> None:
        self._context = context
        self._pool = pool
        self._slots = slots
        self._waiting_limit = waiting_limit
        self._changed = threading.Condition()
        # choices are admitted first
        self._waiting: dict[type[Request], deque[Request]] = {Choice: deque(), Generation: deque()}
        self._admitted: list[Request] = []  # in the order of their admission
        self._preempted: set[Request] = set()  # of these, until another one has finished
        self._adapter = ""
        self._closing = False
        self._ended: str | None = None
        self._computed = self._produced = self._batches = self._preemptions = 0

    @property
    def statistics(self) -> EngineStatistics:
        admitted = list(self._admitted)
        return EngineStatistics(
            computed_tokens=self._computed,
            reused_tokens=self._pool.reused_tokens,
            produced_tokens=self._produced + sum(r.produced_tokens for r in admitted),
            batches=self._batches,
            preemptions=self._preemptions,
            active=len(admitted),
            waiting=sum(map(len, self._waiting.values())),
            used_cells=self._pool.used_cells,
        )

    def submit(self, request: Request) -> None:
        """Raises ModelBusy when too many wait, ModelError when the engine has ended."""
        with self._changed:
            if self._ended is not None:
                raise ModelError(self._ended)
            waiting = self._waiting[type(request)]
            if len(waiting) >= self._waiting_limit:
                raise ModelBusy(
                    f"The language model is busy and {len(waiting)} more requests wait: "
                    "try again in a minute."
                )
            waiting.append(request)
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
        for request in [request for request in self._admitted if request.cancelled]:
            self._finish(request)
            request.stop()
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or self._admitted or any(self._waiting.values())
            )
            if self._closing:
                return False
            for kind, waiting in self._waiting.items():
                for request in [request for request in waiting if request.cancelled]:
                    waiting.remove(request)
                    request.stop()
                free = self._slots - sum(type(request) is kind for request in self._admitted)
                for _ in range(min(free, len(waiting))):
                    request = waiting.popleft()
                    missing = len(request.prompt) - self._pool.known(
                        request.prompt, request.adapter
                    )
                    request.due = self._computed + missing
                    self._admitted.append(request)
        return True

    def _step(self) -> None:
        self._take_turns()
        batch, planned = self._plan()
        while planned and not self._context.decode(batch):
            for request in planned:
                request.retract(self._pool)
            self._preempt()
            batch, planned = self._plan()
        if not planned:
            return
        self._batches += 1
        self._computed += len(batch)
        for request in planned:
            self._advance(request)

    @property
    def _active(self) -> list[Request]:
        return [request for request in self._admitted if request not in self._preempted]

    def _take_turns(self) -> None:
        """Go on to the next adapter that is asked for: a batch goes through one of them."""
        adapters = sorted({request.adapter for request in self._active})
        later = (adapter for adapter in adapters if adapter > self._adapter)
        self._adapter = next(later, adapters[0] if adapters else "")
        self._context.use(self._adapter)

    def _plan(self) -> tuple[Batch, list[Request]]:
        batch = Batch()
        planned: list[Request] = []
        group = [request for request in self._active if request.adapter == self._adapter]
        for request in sorted(group, key=lambda request: (not request.urgent, request.due)):
            room = 1 if request.urgent else PROMPT_PIECE - len(batch)
            if (
                room > 0
                and not self._had_better_wait(request, planned)
                and request.plan(batch, self._pool, room)
            ):
                planned.append(request)
        return batch, planned

    def _had_better_wait(self, request: Request, planned: list[Request]) -> bool:
        """This very batch computes for another what can be shared once it is computed."""
        return request.cached is None and self._pool.worth_waiting(
            request.prompt, [other.prompt for other in planned], request.adapter
        )

    def _preempt(self) -> None:
        """Take the cells of whoever was admitted last: they are brought back later."""
        *others, last = self._active
        if not others:
            self._finish(last)
            last.fail(
                ModelError("The prompt does not fit the model's context: shorten the question.")
            )
        else:
            last.release(self._pool)
            self._preempted.add(last)
            self._preemptions += 1

    def _advance(self, request: Request) -> None:
        try:
            finished = request.advance(self._context, self._pool)
        except ModelError as error:
            self._finish(request)
            request.fail(error)
            return
        if finished:
            self._finish(request)
            request.succeed()

    def _finish(self, request: Request) -> None:
        self._admitted.remove(request)
        self._preempted.clear()  # there is room again
        self._produced += request.produced_tokens
        request.release(self._pool)

    def _end(self, reason: str) -> None:
        with self._changed:
            self._ended = reason
            stranded = [*self._admitted, *self._waiting[Choice], *self._waiting[Generation]]
            self._admitted.clear()
            for waiting in self._waiting.values():
                waiting.clear()
        for request in stranded:
            request.fail(ModelError(reason))
