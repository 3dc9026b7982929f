"""LlamaIndex's embedding interface over a GGUF sentence encoder that llama.cpp runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index_instrumentation import get_dispatcher
from pydantic import PrivateAttr

from indexer.cores import usable_cores
from indexer.documents import Vectors
from indexer.embedding.embedder_file import EmbedderFile, find_embedder
from indexer.embedding.trial_process import MODULE
from indexer.errors import EmbedderError
from indexer.trials import Trials

if TYPE_CHECKING:
    from indexer.embedding.pooling import PooledModel, Tokens

_WRONG_KIND = "it is damaged or no GGUF embedding model; name another in [index] embedder."
_dispatcher = get_dispatcher(__name__)


class LlamaCppEmbedding(BaseEmbedding):
    """Sentence embeddings (SBERT, Reimers & Gurevych 2019) with the model's own pooling.

    Questions and passages are embedded alike, without an instruction prefix. Safe from several
    threads, which share ``threads`` workers (0: one per core). Raises EmbedderError for a file that
    is damaged or no sentence encoder.
    """

    _file: EmbedderFile = PrivateAttr()
    _model: PooledModel = PrivateAttr()

    def __init__(self, file: EmbedderFile, threads: int = 0, *, repack: bool = True) -> None:
        from indexer.embedding.pooling import SENTENCE, Complaint, PooledModel

        super().__init__(model_name=file.name)
        complaint = Complaint(EmbedderError, _WRONG_KIND)
        self._file = file
        workers = threads or usable_cores()
        self._model = PooledModel(file.path, file.max_tokens, workers, complaint, repack=repack)
        if self._model.pooling not in SENTENCE:
            self._model.close()
            raise EmbedderError(
                f"{file.path} is no sentence encoder: it does not say how to pool its tokens; "
                "name another in [index] embedder."
            )

    @classmethod
    def find(
        cls, embedder: str, cache_dir: Path, threads: int = 0, trials: Trials | None = None
    ) -> LlamaCppEmbedding:
        """From ``[index] embedder``: the default's name or the path of a GGUF file.

        It is tried in a child process first, those of ``trials`` or else of ``cache_dir``.
        """
        file = find_embedder(embedder, cache_dir)
        options = {"kind": "encoder", "max_tokens": file.max_tokens}
        trials = trials or Trials(cache_dir)
        repack = trials.may_repack(MODULE, file.path, options, EmbedderError)
        return cls(file, threads, repack=repack)

    @classmethod
    def class_name(cls) -> str:
        return "LlamaCppEmbedding"

    @property
    def identity(self) -> str:
        """Name and digest: vectors of another identity are never compared with these."""
        return self._file.identity

    @property
    def path(self) -> Path:
        """Of the GGUF file."""
        return self._file.path

    @property
    def dimension(self) -> int:
        return self._model.width

    @property
    def max_tokens(self) -> int:
        """Tokens read of a text, special tokens excluded; what exceeds them is cut off."""
        return self._model.max_tokens - len(self._model.opening) - len(self._model.closing)

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text``, special tokens excluded."""
        return len(self._model.tokenize(text, special=False))

    @_dispatcher.span
    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 array, shape (n_texts, dimension), rows L2-normalised. Raises EmbedderError.

        Many texts in one call are much faster than one after the other.
        """
        vectors = self._model.rows([self._truncated(text) for text in texts])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise EmbedderError(f"{self._file.path} yields empty vectors: {_WRONG_KIND}")
        vectors /= lengths
        return vectors

    def close(self) -> None:
        """Free the model's memory; nothing may be embedded afterwards."""
        self._model.close()

    def _truncated(self, text: str) -> Tokens:
        tokens = self._model.tokenize(text)
        if len(tokens) <= self._model.max_tokens:
            return tokens
        closing = self._model.closing
        return np.concatenate((tokens[: self._model.max_tokens - len(closing)], closing))

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.embed(texts).tolist()
        return vectors

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)
