"""Reads a text with an embedding or reranking model: a child process that may die of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from indexer.trials import carry_out

MODULE = "indexer.embedding.trial_process"
_TEXT = "Soup is served at noon, and on Fridays there is fish. When is soup served, and what else?"


def read(file: Path, *, repack: bool, kind: str, max_tokens: int) -> None:
    """``kind`` is "encoder" or "reranker". Raises IndexerError."""
    from indexer.embedding.pooling import MODELS_OWN, RANK, Complaint, PooledModel
    from indexer.errors import IndexerError

    complaint = Complaint(IndexerError, "it is tried only.")
    pooling = RANK if kind == "reranker" else MODELS_OWN
    with closing(PooledModel(file, max_tokens, 1, complaint, pooling, repack=repack)) as model:
        model.rows([model.tokenize(_TEXT)[: model.max_tokens]])


if __name__ == "__main__":
    carry_out(read)
