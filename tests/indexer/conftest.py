"""The real embedder, opened once; everything that needs vectors uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.embedder_file import DEFAULT_EMBEDDER
from indexer.embedding import LlamaCppEmbedding


@pytest.fixture(scope="session")
def embedding(cache_dir: Path) -> Iterator[LlamaCppEmbedding]:
    embedding = LlamaCppEmbedding.find(DEFAULT_EMBEDDER, cache_dir, threads=2)
    yield embedding
    embedding.close()
