"""The embedder as LlamaIndex knows it, over llama.cpp."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index_instrumentation import get_dispatcher
from pydantic import PrivateAttr

from indexer.cores import usable_cores
from indexer.documents import Vectors
from indexer.embedding.embedder_file import EmbedderFile, find_embedder

if TYPE_CHECKING:
    from indexer.embedding.encoder import Encoder


_dispatcher = get_dispatcher(__name__)


class LlamaCppEmbedding(BaseEmbedding):
    """Unit vectors from a GGUF sentence encoder; questions and passages are embedded alike.

    Safe from several threads, which share ``threads`` workers (0: one a core). Raises
    EmbedderError.
    """

    _file: EmbedderFile = PrivateAttr()
    _encoder: Encoder = PrivateAttr()

    def __init__(self, file: EmbedderFile, threads: int = 0) -> None:
        from indexer.embedding.encoder import Encoder

        super().__init__(model_name=file.name)
        self._file = file
        self._encoder = Encoder(file, threads or usable_cores())

    @classmethod
    def find(cls, embedder: str, cache_dir: Path, threads: int = 0) -> LlamaCppEmbedding:
        """From ``[index] embedder``: the default's name or the path of a GGUF file."""
        return cls(find_embedder(embedder, cache_dir), threads)

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
        return self._encoder.dimension

    @property
    def max_tokens(self) -> int:
        """What is read of a text, special tokens excluded; the rest is cut off."""
        return self._encoder.max_tokens - self._encoder.special_tokens

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text``, special tokens excluded."""
        return self._encoder.count_tokens(text)

    @_dispatcher.span
    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit-length row a text; many at once are much faster than one after the other."""
        return self._encoder.encode(texts)

    def close(self) -> None:
        """Give the model's memory back; nothing may be embedded afterwards."""
        self._encoder.close()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.embed(texts).tolist()
        return vectors

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)
