"""A second opinion on the candidates: a cross-encoder reads question and passage together."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from indexer.errors import RerankerError
from indexer.stores.base import Vectors

if TYPE_CHECKING:
    from indexer.pooling import PooledModel, Tokens

_ADVICE = "it is damaged or no GGUF reranker; correct or remove [index] reranker."
_MOST_TOKENS = 512
_HEAD = "cls."


class Reranker(Protocol):
    """Whatever can tell how well texts answer a question; safe from several threads."""

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score in 0..1 a text, higher for a better answer. Raises RerankerError."""
        ...


class CrossEncoder:
    """A GGUF model with a classification head of one output, for instance bge-reranker-v2-m3.

    It is loaded by the first question. Models that tell the two texts apart by token types
    (BERT, other than XLM-RoBERTa) lose that in llama.cpp. ``threads`` 0 means one a core.
    Raises RerankerError.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._path = path.expanduser()
        self._threads = threads or os.cpu_count() or 1
        self._loading = threading.Lock()
        self._loaded: PooledModel | None = None
        if not self._path.is_file():
            raise RerankerError(
                f"[index] reranker names {path}, which is no file; "
                "name a GGUF reranker, or remove the setting to do without."
            )

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        model = self._model()
        logits = model.rows(_pairs(model, question, texts))[:, 0].astype(np.float64)
        if not np.all(np.isfinite(logits)):
            raise RerankerError(f"{self._path} yields no numbers: {_ADVICE}")
        scores: list[float] = _logistic(logits).tolist()
        return scores

    def close(self) -> None:
        """Give the model's memory back; the next question would load it again."""
        with self._loading:
            if self._loaded:
                self._loaded.close()
                self._loaded = None

    def _model(self) -> PooledModel:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> PooledModel:
        from indexer.pooling import RANK, Complaint, PooledModel

        complaint = Complaint(RerankerError, _ADVICE)
        if not _has_head(self._path):
            raise complaint.about(self._path, "has no classification head")
        model = PooledModel(self._path, _MOST_TOKENS, self._threads, complaint, RANK)
        if model.width != 1:
            model.close()
            raise complaint.about(self._path, f"gives {model.width} numbers a text instead of one")
        return model


def _has_head(path: Path) -> bool:
    """llama.cpp would take a model without one for a reranker and return noise."""
    from gguf import GGUFReader

    try:
        return any(tensor.name.startswith(_HEAD) for tensor in GGUFReader(path).tensors)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise RerankerError(f"{path} cannot be loaded: {_ADVICE}") from error


def _pairs(model: PooledModel, question: str, texts: Sequence[str]) -> list[Tokens]:
    """Question and text as one sequence each; a long question yields to half the room."""
    room = model.max_tokens - len(model.opening) - len(model.separator) - len(model.closing)
    asked = model.tokenize(question, special=False)[: room // 2]
    start = np.concatenate((model.opening, asked, model.separator))
    rest = room - len(asked)
    return [
        np.concatenate((start, model.tokenize(text, special=False)[:rest], model.closing))
        for text in texts
    ]


def _logistic(logits: Vectors) -> Vectors:
    """Overflows for no logit."""
    scores: Vectors = 0.5 * (1 + np.tanh(logits / 2))
    return scores
