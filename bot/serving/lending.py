"""Leases of models, one per question: the port, and the models that the settings pin."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.domain.errors import ModelError
from bot.serving.breaker import CircuitBreaker
from bot.serving.model import LanguageModel

_RETRY_SECONDS = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InUse:
    """A model that answers at the moment; ``share`` in 0..1 is what a canary is tried on."""

    role: Literal["serving", "canary"]
    model: LanguageModel
    share: float = 1.0


class Models(Protocol):
    """Lends models. All methods are safe from several threads."""

    def lease(
        self, *, question_id: str = "", channel: str = "", thread: str = ""
    ) -> AbstractContextManager[LanguageModel | None]:
        """The model for one question, to be used within the block; None means: quote.

        All questions of one thread of a channel get the same model while nothing changes.
        """
        ...

    def in_use(self) -> tuple[InUse, ...]:
        """Which models are lent now, to be looked at only: any may be closed meanwhile."""
        ...

    def problems(self) -> tuple[str, ...]:
        """Why the wanted models do not answer, in sentences; empty where all do."""
        ...

    def close(self) -> None:
        """Lend nothing more; each model is closed when its last lease ends."""
        ...


class FixedModels:
    """Always the same model, or always none: what the settings pin is not swapped."""

    def __init__(self, model: LanguageModel | None = None, problem: str = "") -> None:
        """Takes over the model and closes it when closed itself; ``problem`` says why none is."""
        self._model = model
        self._problem = problem

    @contextmanager
    def lease(
        self, *, question_id: str = "", channel: str = "", thread: str = ""
    ) -> Iterator[LanguageModel | None]:
        yield self._model

    def in_use(self) -> tuple[InUse, ...]:
        return (InUse("serving", self._model),) if self._model else ()

    def problems(self) -> tuple[str, ...]:
        return (self._problem,) if self._problem else ()

    def close(self) -> None:
        if self._model:
            self._model.close()


class ServerModels:
    """The model of a server, which may be away: until it answers, the documents are quoted."""

    def __init__(
        self,
        connect: Callable[[], LanguageModel],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Tries ``connect`` at once, and after a ModelError again every half minute."""
        self._connect = connect
        self._clock = clock
        self._connecting = threading.Lock()
        self._model: LanguageModel | None = None
        self._retry_at = -float("inf")
        self._problem = ""
        self._try()

    @contextmanager
    def lease(
        self, *, question_id: str = "", channel: str = "", thread: str = ""
    ) -> Iterator[LanguageModel | None]:
        if self._model is None:
            self._try()
        yield self._model

    def in_use(self) -> tuple[InUse, ...]:
        model = self._model
        return (InUse("serving", model),) if model else ()

    def problems(self) -> tuple[str, ...]:
        """Also of a server that answered once and is left alone now, because it fails."""
        if self._model is None:
            self._try()
        breaker: CircuitBreaker | None = getattr(self._model, "breaker", None)
        problem = breaker.problem if breaker else self._problem
        return (problem,) if problem else ()

    def close(self) -> None:
        with self._connecting:
            model, self._model, self._retry_at = self._model, None, float("inf")
        if model:
            model.close()

    def _try(self) -> None:
        """One caller at a time; the others go on without a model."""
        if not self._connecting.acquire(blocking=False):
            return
        try:
            if self._model is None and self._clock() >= self._retry_at:
                self._model, self._problem = self._connect(), ""
        except ModelError as error:
            self._retry_at, self._problem = self._clock() + _RETRY_SECONDS, str(error)
            _log.error("Quoting until the model's server answers: %s", error)
        finally:
            self._connecting.release()
