"""The language-model port: stream an answer, and score given options as the next word."""

from __future__ import annotations

import contextvars
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from bot.domain.errors import Cancelled, DeadlineExceeded
from bot.domain.values import Message, ModelIdentity

Result = TypeVar("Result")
_STOPPED = "The answer was stopped."
_SECONDS_BETWEEN_LOOKS = 0.05


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; temperature 0 is greedy and ignores ``top_p``, ``min_p`` and ``seed``.

    ``top_p`` keeps the likeliest tokens that reach this share together, ``min_p`` those that
    have at least this share of the likeliest one's probability.
    """

    max_tokens: int = 600
    temperature: float = 0.0
    top_p: float = 0.95
    min_p: float = 0.05
    seed: int = 0
    stop: tuple[str, ...] = ()
    json_schema: str = ""
    """A JSON schema, as JSON: the answer is a document of it unless ``max_tokens`` cuts it."""


@dataclass(slots=True)
class Cancellation:
    """Set from any thread, or by time: the request ends before its next token.

    It then raises ``Cancelled``, or ``DeadlineExceeded`` where ``deadline`` (time.monotonic, in
    seconds) has passed.
    """

    deadline: float = math.inf
    _event: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def after(cls, seconds: float) -> Cancellation:
        """One that ends the request when it is not finished in time."""
        return cls(time.monotonic() + seconds)

    def cancel(self) -> None:
        self._event.set()

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self.deadline

    @property
    def cancelled(self) -> bool:
        return self._event.is_set() or self.expired

    @property
    def stopped(self) -> bool:
        """Whether a person has ended the request; time may have, besides."""
        return self._event.is_set()

    @property
    def reason(self) -> Cancelled:
        """Why the request ended, once it is ``cancelled``."""
        if self.expired:
            return DeadlineExceeded("The model did not finish in the time it was given: try again.")
        return Cancelled(_STOPPED)

    def unless_stopped(self, function: Callable[[], Result]) -> Result:
        """What ``function()`` returns or raises; Cancelled as soon as a person ends the request.

        For work that does not look at ``stopped`` all the time: it goes on in a thread of its own,
        and what it returns too late is dropped.
        """
        if self.stopped:
            raise Cancelled(_STOPPED)
        ended: Future[Result] = Future()
        done = threading.Event()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                ended.set_result(context.run(function))
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                ended.set_exception(error)
            done.set()

        threading.Thread(target=work, name="unless stopped", daemon=True).start()
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            if self.stopped:
                raise Cancelled(_STOPPED)
        return ended.result()

    def check(self) -> None:
        """Raises Cancelled or DeadlineExceeded if the request has to end."""
        if self.cancelled:
            raise self.reason


class LanguageModel(Protocol):
    """What answering needs of a model. All methods are safe from several threads."""

    @property
    def identity(self) -> ModelIdentity: ...

    @property
    def context_tokens(self) -> int:
        """Room for prompt and answer together, in tokens."""
        ...

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling = Sampling(),
        cancellation: Cancellation | None = None,
    ) -> Iterator[str]:
        """The answer piece by piece, each piece valid text.

        Raises PromptTooLong before the first piece, Cancelled or DeadlineExceeded when stopped,
        ModelError otherwise.
        """
        ...

    def choose(
        self,
        prefix: Sequence[Message],
        continuations: Sequence[str],
        options: Sequence[str],
        cancellation: Cancellation | None = None,
    ) -> list[tuple[float, ...]]:
        """Probabilities of ``options`` as the assistant's next word: a tuple per continuation.

        Each continuation is asked as one more user turn after the shared ``prefix``. Each tuple
        holds one probability per option, in 0..1 and summing to 1: they are normalised over the
        options, whose first tokens must differ. Raises what ``stream`` raises.
        """
        ...

    def close(self) -> None: ...
