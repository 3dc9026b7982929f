"""What a measurement depends on, as words that change when it does: models and indexes."""

from __future__ import annotations

import hashlib

from bot.serving.model import LanguageModel
from indexer.index import Library


def index_identity(library: Library) -> str:
    """Changes whenever an answer might: with the documents, who may read them, the embedder."""
    rows = (
        f"{one.id}\0{one.digest}\0{' '.join(one.audience.sorted())}"
        for one in library.store.documents().values()
    )
    whole = "\n".join([library.embedding.identity, library.chunker.identity, *sorted(rows)])
    return hashlib.sha256(whole.encode()).hexdigest()


def model_identity(model: LanguageModel | None) -> str:
    """Which weights, through which adapter; "" for none."""
    return f"{model.identity.sha256} {model.identity.adapter}".strip() if model else ""
