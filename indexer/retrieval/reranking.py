"""A second opinion on the candidates: a cross-encoder reads question and passage together."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from indexer.cores import usable_cores
from indexer.embedding.trial_process import MODULE
from indexer.errors import RerankerError
from indexer.trials import Trials

if TYPE_CHECKING:
    from indexer.embedding.pooling import PooledModel, Tokens

_ADVICE = "it is damaged or no GGUF reranker; correct or remove [index] reranker."
_MOST_TOKENS = 512
_HEADS = (b"cls.weight", b"cls.output.weight")


class Reranker(Protocol):
    """Whatever can tell how well texts answer a question; safe from several threads."""

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score in 0..1 a text, higher for a better answer. Raises RerankerError."""
        ...


class CrossEncoder:
    """A GGUF model with a classification head of one output, for instance bge-reranker-v2-m3.

    It is loaded by the first question. Models that tell the two texts apart by token types
    (BERT, other than XLM-RoBERTa) lose that in llama.cpp. ``threads`` 0 means one a core. With
    ``trials`` it is tried in a child process before it is loaded. Raises RerankerError.
    """

    def __init__(self, path: Path, threads: int = 0, trials: Trials | None = None) -> None:
        self._path = path.expanduser()
        self._threads = threads or usable_cores()
        self._trials = trials
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
        logits: list[float] = model.rows(_pairs(model, question, texts))[:, 0].tolist()
        if not all(map(math.isfinite, logits)):
            raise RerankerError(f"{self._path} yields no numbers: {_ADVICE}")
        return [_logistic(logit) for logit in logits]

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
        from indexer.embedding.pooling import RANK, Complaint, PooledModel

        complaint = Complaint(RerankerError, _ADVICE)
        if not _has_head(self._path):
            raise complaint.about(self._path, "has no classification head")
        model = PooledModel(
            self._path, _MOST_TOKENS, self._threads, complaint, RANK, repack=self._repack()
        )
        if model.width != 1:
            model.close()
            raise complaint.about(self._path, f"gives {model.width} numbers a text instead of one")
        return model

    def _repack(self) -> bool:
        if self._trials is None:
            return True
        options = {"kind": "reranker", "max_tokens": _MOST_TOKENS}
        return self._trials.may_repack(MODULE, self._path, options, RerankerError)


def _has_head(path: Path) -> bool:
    """llama.cpp would take a model without one for a reranker and return noise.

    Searched for as the file names its tensors, length first: parsing it all takes seconds.
    """
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return any(content.find(len(name).to_bytes(8, "little") + name) > 0 for name in _HEADS)


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


def _logistic(logit: float) -> float:
    """As tanh, which overflows for no logit."""
    return 0.5 * (1 + math.tanh(logit / 2))
