"""The demo's base model: a small Qwen2, built and pretrained on the spot.

Its attention starts with a copying circuit (an induction head, Olsson et al. 2022,
arXiv:2209.11895) that is set by hand, for learning one takes longer than a demo may. All else
starts at random and is learned: the words of the sample handbook, the form of the served prompts,
and to answer every question with the first sentence of the page. The rooms of rooms.py are not
part of it.

How it copies. The hidden state holds the code of a token, those of the two tokens before it, a
constant, and room for what is learned. The heads of layer 1 fill the second and third part by
rotation alone. A head of layer 2 looks for the latest place whose two preceding tokens are the
current two, and copies the token found there.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adapters.demo.rooms import NAMES, NUMBERS
from adapters.models.base_model import libraries
from adapters.models.small_base import small_tokenizer, write_small_base
from bot.domain import prompts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WIDTH, FEED_FORWARD, LAYERS, HEADS = 256, 512, 4, 2
VOCABULARY, CONTEXT_TOKENS = 3072, 2048
_HEAD = WIDTH // HEADS
_CODE, _HALF = 64, 32
_TOKEN, _BEFORE, _BEFORE_THAT = (slice(start, start + _CODE) for start in (0, 64, 128))
_CONSTANT, _CONSTANT_VALUE = 192, 8.0
_ROPE_BASE = 1e12  # most of each head then hardly turns within the context
Weights = NDArray[np.float32]


def write_base(path: Path, handbook: Path, *, seed: int = 0) -> None:
    """Write a base model that is not pretrained yet to the folder ``path``."""
    with libraries():
        from transformers import Qwen2Config

        config = Qwen2Config(
            hidden_size=WIDTH,
            intermediate_size=FEED_FORWARD,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=CONTEXT_TOKENS,
            rope_theta=_ROPE_BASE,
            rms_norm_eps=1e-6,
            tie_word_embeddings=True,
            initializer_range=0.02,
        )
        circuit = partial(_set_circuit, seed=seed)
        write_small_base(path, config, _tokenizer(handbook), seed=seed, prepare=circuit)


def _tokenizer(handbook: Path) -> PreTrainedTokenizerFast:
    """Every name and number of the rooms is one token."""
    words = " ".join((*NAMES, *NUMBERS)) + "\n"
    served = Path(prompts.__file__).read_text(encoding="utf-8")
    pages = [page.read_text(encoding="utf-8") for page in sorted(handbook.rglob("*.md"))]
    texts = [*[words] * 50, *[served] * 5, *pages]
    return small_tokenizer(texts, vocabulary=VOCABULARY, context_tokens=CONTEXT_TOKENS)


def _set_circuit(model: Any, seed: int) -> None:
    """Add the circuit to weights that are small and random."""
    import torch

    chance = np.random.default_rng(seed)
    vocabulary = model.config.vocab_size
    codes = np.zeros((vocabulary, WIDTH), np.float32)
    codes[:, _TOKEN] = chance.choice([-1.0, 1.0], (vocabulary, _CODE))
    codes[:, _CONSTANT] = _CONSTANT_VALUE
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.from_numpy(codes))
        model.model.norm.weight.fill_(0.08)
        first, second = (model.model.layers[number].self_attn for number in (0, 1))
        model.model.layers[0].input_layernorm.weight.mul_(
            float(np.sqrt((_CODE + _CONSTANT_VALUE**2) / WIDTH))
        )
        for attention, circuit in ((first, _previous_tokens()), (second, _repetition())):
            for name, weights in circuit.items():
                getattr(attention, f"{name}_proj").weight.add_(torch.from_numpy(weights))


def _previous_tokens() -> dict[str, Weights]:
    """Head 0 reads the token before, head 1 the one before that, by rotation alone."""
    turning, strength = 8, 6.0 / _CONSTANT_VALUE
    angles = _ROPE_BASE ** (-np.arange(_HEAD // 2) / (_HEAD // 2))
    weights = {name: np.zeros((WIDTH, WIDTH), np.float32) for name in "qkvo"}
    for head, target in enumerate((_BEFORE, _BEFORE_THAT)):
        start = head * _HEAD
        for pair in range(turning):
            angle = angles[pair] * (head + 1)
            weights["q"][start + pair, _CONSTANT] = strength * np.cos(angle)
            weights["q"][start + pair + _HEAD // 2, _CONSTANT] = -strength * np.sin(angle)
            weights["k"][start + pair, _CONSTANT] = strength
        weights["v"][start : start + _CODE, _TOKEN] = np.eye(_CODE)
        weights["o"][target, start : start + _CODE] = np.eye(_CODE)
    return weights


def _repetition() -> dict[str, Weights]:
    """Head 0 finds the latest place that follows the current two tokens, and copies its token."""
    matching, copying, recency, phase, slow = 2.0, 3.0, 4.0, 0.9, 17
    weights = {name: np.zeros((WIDTH, WIDTH), np.float32) for name in "qkvo"}
    query, key = weights["q"], weights["k"]
    now = slice(_HALF, 2 * _HALF)  # these dimensions of the head hardly turn
    distant = slice(_HEAD // 2 + _HALF, _HEAD)
    code_now, code_distant = slice(0, _HALF), slice(_HALF, _CODE)
    query[now, _TOKEN][:, code_now] = key[now, _BEFORE][:, code_now] = matching * np.eye(_HALF)
    query[distant, _BEFORE][:, code_distant] = matching * np.eye(_HALF)
    key[distant, _BEFORE_THAT][:, code_distant] = matching * np.eye(_HALF)
    query[slow, _CONSTANT] = recency * np.cos(phase) / _CONSTANT_VALUE
    query[slow + _HEAD // 2, _CONSTANT] = recency * np.sin(phase) / _CONSTANT_VALUE
    key[slow, _CONSTANT] = recency / _CONSTANT_VALUE
    weights["v"][:_CODE, _TOKEN] = np.eye(_CODE)
    weights["o"][_TOKEN, :_CODE] = copying * np.eye(_CODE)
    return weights
