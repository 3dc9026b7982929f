"""What a measurement depends on, as words that change when it does: models and indexes."""

from __future__ import annotations

import hashlib

from bot.serving.model import LanguageModel
from indexer.index import Index


def index_identity(index: Index) -> str:
    """Changes whenever an answer might: with the documents, who may read them, the embedder."""
    rows = (
        f"{one.id}\0{one.digest}\0{' '.join(one.audience.sorted())}"
        for one in index.store.documents().values()
    )
    whole = "\n".join([index.embedding.identity, index.chunker.identity, *sorted(rows)])
    return hashlib.sha256(whole.encode()).hexdigest()


def model_identity(model: LanguageModel | None) -> str:
    """Which weights, through which adapter; "" for none."""
    return str(model.identity.fingerprint) if model else ""
