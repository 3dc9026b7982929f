"""Models are lent for one question at a time: the port, and the one model that settings pin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from bot.serving.model import LanguageModel


class Models(Protocol):
    """Lends models. All methods are safe from several threads."""

    def lease(
        self, *, question_id: str = "", channel: str = "", thread: str = ""
    ) -> AbstractContextManager[LanguageModel | None]:
        """The model for one question, to be used within the block; None means: quote.

        All questions of one thread of a channel get the same model while nothing changes.
        """
        ...

    def close(self) -> None:
        """Lend nothing more; each model is closed when its last lease ends."""
        ...


class FixedModels:
    """Always the same model, or always none: what the settings pin is not swapped."""

    def __init__(self, model: LanguageModel | None = None) -> None:
        """Takes over the model and closes it when closed itself."""
        self._model = model

    @contextmanager
    def lease(
        self, *, question_id: str = "", channel: str = "", thread: str = ""
    ) -> Iterator[LanguageModel | None]:
        yield self._model

    def close(self) -> None:
        if self._model:
            self._model.close()
