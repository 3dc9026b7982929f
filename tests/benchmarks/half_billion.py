"""A Qwen2-architecture GGUF file of half a billion parameters that mean nothing: for timing.

The shape is Qwen2.5-0.5B's: 24 layers, hidden 896, 14 heads on 2 for keys and values, feed-forward
4864, 151,936 tokens, embeddings tied; 494M parameters. Matrices are Q4_0, because 896 is no
multiple of the 256 that K-quants need, and the embeddings Q8_0, as llama.cpp's own quantizer has
it.

Matrices are random. One dimension of the hidden state is a constant that lifts the tokens which
are an English word with its blank above all others: answers never end before their limit, and
their text is read again as the very tokens that were drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import gguf
import llama_index.core.evaluation
import llama_index.core.prompts
import llama_index.core.selectors
import numpy as np
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray
from tokenizers import Tokenizer, pre_tokenizers, trainers

from bot.domain import prompts
from tests.services.tiny_model import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    TURN_END,
    TURN_START,
    train_tokenizer,
)

VERSION = "half-billion-1"
CONTEXT_TOKENS = 32_768

_VOCABULARY, _LEARNED = 151_936, 8_192
_WIDTH, _LAYERS, _HEADS, _KEY_HEADS, _FEED_FORWARD = 896, 24, 14, 2, 4_864
_KEYS = _WIDTH // _HEADS * _KEY_HEADS
_SPREAD = 0.02
_CONSTANT = 0  # the dimension that lifts
_DRAWN, _NEVER_DRAWN, _LIFT = 1.0, 0.25, 150.0

Weights = NDArray[np.float32]


def half_billion(folder: Path) -> Path:
    """The path of the file in ``folder``, where it is kept: 0.35 GB, written in a minute."""
    path = folder / f"{VERSION}.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        write_half_billion(unfinished)
        unfinished.replace(path)
    return path


def write_half_billion(path: Path) -> None:
    """Write the model to ``path``; matrices are made and quantized one at a time."""
    tokenizer = _tokenizer()
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("Random 0.5B")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KEY_HEADS)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    _add_vocabulary(writer, tokenizer)
    for name, weights, kind in _tensors(tokenizer):
        writer.add_tensor(name, gguf.quants.quantize(weights, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tokenizer() -> Tokenizer:
    """The Parrot's kind, trained on all that the benchmarks' models are told.

    So a word is about one token for everybody, as it is in a large model's own vocabulary.
    """
    tokenizer = train_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=_LEARNED,
        special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _corpus() -> Iterator[str]:
    handbook = Path(prompts.__file__).parents[1] / "workspace" / "sample"
    yield Path(prompts.__file__).read_text(encoding="utf-8")
    for page in sorted(handbook.rglob("*.md")):
        yield page.read_text(encoding="utf-8")
    for package in (llama_index.core.evaluation, llama_index.core.selectors):
        for module in sorted(Path(package.__path__[0]).glob("*.py")):
            yield module.read_text(encoding="utf-8")
    (templates,) = llama_index.core.prompts.__path__
    yield Path(templates, "default_prompts.py").read_text(encoding="utf-8")


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    control = {END_OF_TEXT, TURN_START, TURN_END}
    types = [
        gguf.TokenType.CONTROL if token in control else gguf.TokenType.NORMAL for token in tokens
    ]
    unused = range(len(tokens), _VOCABULARY)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*tokens, *(f"[unused{number}]" for number in unused)])
    writer.add_token_types([*types, *(gguf.TokenType.UNUSED for _ in unused)])
    learned = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in learned])
    writer.add_eos_token_id(vocabulary[TURN_END])
    writer.add_eot_token_id(vocabulary[TURN_END])
    writer.add_pad_token_id(vocabulary[END_OF_TEXT])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _tensors(tokenizer: Tokenizer) -> Iterator[tuple[str, Weights, Kind]]:
    chance = np.random.default_rng(29)

    def matrix(rows: int, columns: int) -> Weights:
        return chance.standard_normal((rows, columns), np.float32) * np.float32(_SPREAD)

    def into_hidden(columns: int) -> Weights:
        weights = matrix(_WIDTH, columns)
        weights[_CONSTANT] = 0
        return weights

    ones = np.ones(_WIDTH, np.float32)
    last_norm = ones.copy()
    last_norm[_CONSTANT] = _LIFT
    embedding = matrix(_VOCABULARY, _WIDTH)
    embedding[:, _CONSTANT] = _NEVER_DRAWN
    embedding[_words(tokenizer), _CONSTANT] = _DRAWN
    yield "token_embd.weight", embedding, Kind.Q8_0
    yield "output_norm.weight", last_norm, Kind.F32
    for layer in (f"blk.{number}" for number in range(_LAYERS)):
        yield f"{layer}.attn_norm.weight", ones, Kind.F32
        for name, rows in (("q", _WIDTH), ("k", _KEYS), ("v", _KEYS)):
            yield f"{layer}.attn_{name}.weight", matrix(rows, _WIDTH), Kind.Q4_0
            yield f"{layer}.attn_{name}.bias", np.zeros(rows, np.float32), Kind.F32
        yield f"{layer}.attn_output.weight", into_hidden(_WIDTH), Kind.Q4_0
        yield f"{layer}.ffn_norm.weight", ones, Kind.F32
        yield f"{layer}.ffn_gate.weight", matrix(_FEED_FORWARD, _WIDTH), Kind.Q4_0
        yield f"{layer}.ffn_up.weight", matrix(_FEED_FORWARD, _WIDTH), Kind.Q4_0
        yield f"{layer}.ffn_down.weight", into_hidden(_FEED_FORWARD), Kind.Q4_0


def _words(tokenizer: Tokenizer) -> list[int]:
    """Tokens that are a blank and a whole word, in small letters."""
    return [
        token
        for text, token in tokenizer.get_vocab().items()
        if text[0] == "Ġ"
        and len(text) > 3
        and text[1:].isascii()
        and text[1:].islower()
        and text[1:].isalpha()
    ]
