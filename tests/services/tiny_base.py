"""A full-precision base model of a few megabytes in Hugging Face's layout, built on the spot.

Qwen2's architecture with random weights from a fixed seed: biased projections, grouped queries,
tied embeddings, a byte-level BPE with Qwen2's own split, a ChatML template. Every row is a
multiple of 256 wide, so that K-quants apply.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import pytest

from adapters.models.base_model import libraries
from adapters.models.small_base import small_tokenizer, write_small_base
from bot.domain import prompts
from tests.services.tiny_model import CONTEXT_TOKENS

VERSION = "tiny-base-2"
WIDTH, FEED_FORWARD, LAYERS = 256, 512, 2
VOCABULARY = 4096
_HEADS, _SHARED_HEADS = 4, 2
_SEED = 20
_PROMPTS = Path(prompts.__file__)
_HANDBOOK = _PROMPTS.parents[1] / "workspace" / "sample"


@pytest.fixture(scope="session")
def tiny_base(request: pytest.FixtureRequest) -> Path:
    """The folder of the base model, kept in pytest's cache between runs; never write to it."""
    cache = request.config.cache
    assert cache is not None
    path = cache.mkdir("tiny_base") / VERSION
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        write_tiny_base(unfinished)
        unfinished.replace(path)
    return path


def write_tiny_base(
    path: Path,
    *,
    architecture: Literal["qwen2", "llama"] = "qwen2",
    tied: bool = True,
    width: int = WIDTH,
) -> None:
    """Write ``config.json``, ``model.safetensors``, the tokenizer and its template to ``path``."""
    with libraries():
        from transformers import LlamaConfig, Qwen2Config

        config = {"qwen2": Qwen2Config, "llama": LlamaConfig}[architecture](
            hidden_size=width,
            intermediate_size=FEED_FORWARD,
            num_hidden_layers=LAYERS,
            num_attention_heads=_HEADS,
            num_key_value_heads=_SHARED_HEADS,
            max_position_embeddings=CONTEXT_TOKENS,
            tie_word_embeddings=tied,
            initializer_range=0.05,
        )
        pages = [_PROMPTS, *sorted(_HANDBOOK.rglob("*.md"))]
        texts = (page.read_text(encoding="utf-8") for page in pages)
        tokenizer = small_tokenizer(texts, vocabulary=VOCABULARY, context_tokens=CONTEXT_TOKENS)
        write_small_base(path, config, tokenizer, seed=_SEED)
