"""A full-precision base model of a few megabytes in Hugging Face's layout, built on the spot.

Qwen2's architecture with random weights from a fixed seed: biased projections, grouped queries,
tied embeddings, a byte-level BPE with Qwen2's own split, a ChatML template. Every row is a
multiple of 256 wide, so that K-quants apply.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

import bot.prompts
from tests.services.tiny_model import (
    CHAT_TEMPLATE,
    CONTEXT_TOKENS,
    END_OF_TEXT,
    TURN_END,
    TURN_START,
    train_tokenizer,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VERSION = "tiny-base-1"
WIDTH, FEED_FORWARD, LAYERS = 256, 512, 2
VOCABULARY = 4096
_HEADS, _SHARED_HEADS = 4, 2
_SEED = 20
_PROMPTS = Path(bot.prompts.__file__)
_HANDBOOK = _PROMPTS.parent / "workspace" / "sample"


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
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, Qwen2Config

    tokenizer = _tokenizer()
    config = {"qwen2": Qwen2Config, "llama": LlamaConfig}[architecture](
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=FEED_FORWARD,
        num_hidden_layers=LAYERS,
        num_attention_heads=_HEADS,
        num_key_value_heads=_SHARED_HEADS,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.05,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def _tokenizer() -> PreTrainedTokenizerFast:
    """In the manner of the Parrot's, but it knows the words of the prompts and the handbook."""
    from tokenizers import decoders
    from transformers import PreTrainedTokenizerFast

    parrot = train_tokenizer()
    parrot.decoder = decoders.ByteLevel()
    pages = [_PROMPTS, *sorted(_HANDBOOK.rglob("*.md"))]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=parrot,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[TURN_START, TURN_END],
        model_max_length=CONTEXT_TOKENS,
    ).train_new_from_iterator(
        (page.read_text(encoding="utf-8") for page in pages), VOCABULARY, show_progress=False
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
