"""A GGUF sentence encoder: texts in, unit vectors out, from any thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.documents import Vectors
from indexer.embedding.embedder_file import EmbedderFile
from indexer.embedding.pooling import SENTENCE, Complaint, PooledModel, Tokens
from indexer.errors import EmbedderError

_GARBLED = "it is damaged or no GGUF embedding model; name another in [index] embedder."


class Encoder:
    """One loaded model, read by ``workers`` at once. Raises EmbedderError."""

    def __init__(self, file: EmbedderFile, workers: int, *, repack: bool = True) -> None:
        self._path = file.path
        complaint = Complaint(EmbedderError, _GARBLED)
        self._model = PooledModel(file.path, file.max_tokens, workers, complaint, repack=repack)
        if self._model.pooling not in SENTENCE:
            self._model.close()
            raise EmbedderError(
                f"{file.path} is no sentence encoder: it does not say how to pool its tokens; "
                "name another in [index] embedder."
            )
        self.dimension = self._model.width
        self.max_tokens = self._model.max_tokens
        self.special_tokens = len(self._model.opening) + len(self._model.closing)

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` without the special ones that frame it."""
        return len(self._model.tokenize(text, special=False))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One unit-length row a text; what exceeds ``max_tokens`` is cut off."""
        vectors = self._model.rows([self._fitting(text) for text in texts])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise EmbedderError(f"{self._path} yields empty vectors: {_GARBLED}")
        vectors /= lengths
        return vectors

    def close(self) -> None:
        self._model.close()

    def _fitting(self, text: str) -> Tokens:
        tokens = self._model.tokenize(text)
        if len(tokens) <= self.max_tokens:
            return tokens
        closing = self._model.closing
        return np.concatenate((tokens[: self.max_tokens - len(closing)], closing))
