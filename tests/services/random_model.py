"""A small GGUF file of the Llama or Qwen2 architecture with random weights, built on the spot.

It talks nonsense in tokens that no tokenizer would choose, and no probability is near 0 or 1:
for what the Parrot is too sure about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.services.tiny_model import CHAT_TEMPLATE, add_vocabulary, train_tokenizer

VERSION = "random-1"
CONTEXT_TOKENS = 1024
_WIDTH, _HEADS, _KEY_HEADS, _LAYERS, _FEED_FORWARD = 256, 4, 2, 3, 512
_HEAD = _WIDTH // _HEADS

Architecture = Literal["llama", "qwen2"]


@pytest.fixture(scope="session", params=["llama", "qwen2"])
def random_model(request: pytest.FixtureRequest) -> Path:
    """The path of the GGUF file, kept in pytest's cache between runs."""
    cache = request.config.cache
    assert cache is not None
    path = cache.mkdir("random_model") / f"{VERSION}-{request.param}.gguf"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        write_random_model(unfinished, request.param)
        unfinished.replace(path)
    return path


def write_random_model(path: Path, architecture: Architecture) -> None:
    """Write the model, matrices as f16, to ``path``."""
    tokenizer = train_tokenizer()
    vocabulary = tokenizer.get_vocab_size()
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Random")
    writer.add_vocab_size(vocabulary)
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KEY_HEADS)
    writer.add_rope_dimension_count(_HEAD)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    add_vocabulary(writer, tokenizer)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, weights in _tensors(architecture, vocabulary).items():
        writer.add_tensor(name, weights if weights.ndim == 1 else weights.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(architecture: Architecture, vocabulary: int) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(11)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    keys = _KEY_HEADS * _HEAD
    tensors: dict[str, NDArray[np.floating]] = {
        "token_embd.weight": random.normal(0, 0.1, (vocabulary, _WIDTH)),
        "output_norm.weight": np.ones(_WIDTH),
    }
    for layer in range(_LAYERS):
        block: dict[str, NDArray[np.floating]] = {
            "attn_norm.weight": np.ones(_WIDTH),
            "attn_q.weight": 2 * matrix(_WIDTH, _WIDTH),
            "attn_k.weight": 2 * matrix(keys, _WIDTH),
            "attn_v.weight": matrix(keys, _WIDTH),
            "attn_output.weight": matrix(_WIDTH, _WIDTH),
            "ffn_norm.weight": np.ones(_WIDTH),
            "ffn_gate.weight": matrix(_FEED_FORWARD, _WIDTH),
            "ffn_up.weight": matrix(_FEED_FORWARD, _WIDTH),
            "ffn_down.weight": matrix(_WIDTH, _FEED_FORWARD),
        }
        if architecture == "qwen2":
            sizes = {"attn_q.bias": _WIDTH, "attn_k.bias": keys, "attn_v.bias": keys}
            block |= {name: random.normal(0, 0.2, size) for name, size in sizes.items()}
        tensors |= {f"blk.{layer}.{name}": weights for name, weights in block.items()}
    return {name: weights.astype(np.float32) for name, weights in tensors.items()}
