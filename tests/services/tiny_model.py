"""A Llama-architecture GGUF file of a few hundred kilobytes, built on the spot: the Parrot.

Its weights are set by hand so that it repeats the content of the last user turn and then ends
its own turn. Every next token is far ahead of all others, so greedy texts do not depend on how
a batch was put together, and a mistake in the key-value cache shows as a wrong word.

How it parrots (an induction circuit). The hidden state holds four parts: the code of the
token itself, the codes of the token before and of the one before that, and a constant. Layer 1
fills the second and third from positions −1 and −2. Layer 2 looks for the latest place whose two
preceding tokens are the current two, and copies the token found there. "user" and "assistant"
share the half of their code that is compared at distance two: after "assistant\\n" the model
finds "user\\n". The remaining layers are empty.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

VERSION = "parrot-2"
CONTEXT_TOKENS = 2048
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

_SPLIT_OF_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CORPUS = Path(__file__).with_name("tiny_corpus.txt")
_VOCABULARY = 2048
WIDTH, _HEADS, _LAYERS, _FEED_FORWARD = 256, 2, 4, 256
_HEAD = WIDTH // _HEADS
_CODE = 64
_TOKEN, _BEFORE, _BEFORE_THAT = (slice(start, start + _CODE) for start in (0, 64, 128))
CONSTANT, _CONSTANT_VALUE = 192, 8.0
_ROPE_BASE = 1e12  # the upper half of each head then hardly turns within the context
_ANGLES = _ROPE_BASE ** (-np.arange(_HEAD // 2) / (_HEAD // 2))
_STATIC = _HEAD // 2  # first dimension of a head that does not turn

Weights = NDArray[np.float32]


_DISTINCT_WORDS = 151  # a prime, so that every stride visits all


@cache
def _whole_words() -> tuple[str, ...]:
    """Words of the corpus that are one token each after a blank."""
    corpus = _CORPUS.read_text(encoding="utf-8")
    known = train_tokenizer().get_vocab()
    words = dict.fromkeys(re.findall(r"[a-z]{3,}", corpus))
    return tuple(word for word in words if f"Ġ{word}" in known)[:_DISTINCT_WORDS]


def distinct_text(words: int, start: int = 0) -> str:
    """Words in which no two tokens follow each other twice: the Parrot repeats them all.

    About one token a word; another ``start`` gives another text of the same length.
    """
    known = _whole_words()
    rounds = (divmod(place, _DISTINCT_WORDS) for place in range(words))
    return " ".join(known[(start + step * (lap + 1)) % _DISTINCT_WORDS] for lap, step in rounds)


@pytest.fixture(scope="session")
def tiny_model(request: pytest.FixtureRequest) -> Path:
    """The path of the Parrot's GGUF file, kept in pytest's cache between runs."""
    cache = request.config.cache
    assert cache is not None
    path = cache.mkdir("tiny_model") / f"{VERSION}.gguf"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        write_tiny_model(unfinished)
        unfinished.replace(path)
    return path


def train_tokenizer() -> Tokenizer:
    """Byte-level BPE in the manner of Qwen2, trained on the corpus beside this file."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT_OF_QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    corpus = _CORPUS.read_text(encoding="utf-8")
    tokenizer.train_from_iterator(corpus.splitlines(keepends=True), trainer)
    return tokenizer


def write_tiny_model(
    path: Path, *, chat_template: str | None = CHAT_TEMPLATE, beginning: str | None = None
) -> None:
    """Write the Parrot to ``path``.

    ``chat_template=None`` leaves the template out; ``beginning`` is a token that llama.cpp is
    told to put before every text.
    """
    tokenizer = train_tokenizer()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Parrot")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_HEAD)
    writer.add_rope_freq_base(_ROPE_BASE)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    add_vocabulary(writer, tokenizer)
    writer.add_add_bos_token(beginning is not None)
    if beginning is not None:
        writer.add_bos_token_id(tokenizer.token_to_id(beginning))
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    for name, weights in _tensors(tokenizer).items():
        stored = weights if weights.ndim == 1 else weights.astype(np.float16)
        writer.add_tensor(name, stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def token_code(tokenizer: Tokenizer, token: str) -> Weights:
    """What the Parrot's hidden state holds when it is about to say this token."""
    code = np.zeros(WIDTH, np.float32)
    code[_TOKEN] = _embedding(tokenizer)[tokenizer.token_to_id(token), _TOKEN]
    return code


def add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """The tokens, their merges, and which of them are control tokens."""
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    control = {END_OF_TEXT, TURN_START, TURN_END}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in control else gguf.TokenType.NORMAL for token in tokens]
    )
    writer.add_token_merges(_merges(tokenizer))
    writer.add_eos_token_id(vocabulary[TURN_END])
    writer.add_eot_token_id(vocabulary[TURN_END])
    writer.add_pad_token_id(vocabulary[END_OF_TEXT])


def _merges(tokenizer: Tokenizer) -> list[str]:
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [" ".join(pair) for pair in merges]


def _tensors(tokenizer: Tokenizer) -> dict[str, Weights]:
    ones = np.ones(WIDTH, np.float32)
    tensors = {
        "token_embd.weight": _embedding(tokenizer),
        # scaled so that the best logit is about 14 and the others lie within a few units of 0
        "output_norm.weight": ones * np.float32(0.117),
    }
    for layer in range(_LAYERS):
        attention = {0: _attention_to_previous, 1: _attention_to_repetition}.get(
            layer, _no_attention
        )()
        tensors |= {f"blk.{layer}.{name}.weight": value for name, value in attention.items()}
        tensors |= {
            f"blk.{layer}.ffn_norm.weight": ones,
            f"blk.{layer}.ffn_gate.weight": _zeros(_FEED_FORWARD, WIDTH),
            f"blk.{layer}.ffn_up.weight": _zeros(_FEED_FORWARD, WIDTH),
            f"blk.{layer}.ffn_down.weight": _zeros(WIDTH, _FEED_FORWARD),
        }
    return tensors


def _embedding(tokenizer: Tokenizer) -> Weights:
    codes = np.random.default_rng(7).choice([-1.0, 1.0], (tokenizer.get_vocab_size(), _CODE))
    user, assistant = tokenizer.token_to_id("user"), tokenizer.token_to_id("assistant")
    codes[assistant, _CODE // 2 :] = codes[user, _CODE // 2 :]
    embedding = _zeros(len(codes), WIDTH)
    embedding[:, _TOKEN] = codes
    embedding[:, CONSTANT] = _CONSTANT_VALUE
    return embedding


def _attention_to_previous() -> dict[str, Weights]:
    """Head 0 reads the token before, head 1 the one before that, by rotation alone."""
    turning, strength = 16, 16.0
    weights = _no_attention()
    # the norm's weight undoes its division: one code and the constant make half a unit of power
    weights["attn_norm"] *= np.float32(np.sqrt((_CODE + _CONSTANT_VALUE**2) / WIDTH))
    for head, target in enumerate((_BEFORE, _BEFORE_THAT)):
        first = head * _HEAD
        for pair in range(turning):
            angle = _ANGLES[pair] * (head + 1)
            row = first + 2 * pair
            weights["attn_q"][row, CONSTANT] = strength * np.cos(angle) / _CONSTANT_VALUE
            weights["attn_q"][row + 1, CONSTANT] = -strength * np.sin(angle) / _CONSTANT_VALUE
            weights["attn_k"][row, CONSTANT] = strength / _CONSTANT_VALUE
        weights["attn_v"][first : first + _CODE, _TOKEN] = np.eye(_CODE)
        weights["attn_output"][target, first : first + _CODE] = np.eye(_CODE)
    return weights


def _attention_to_repetition() -> dict[str, Weights]:
    """Head 0 finds the latest place that follows the current two tokens, and copies its token."""
    half, matching, copying = _CODE // 2, 24.0, 6.0
    # one slow rotation, begun where the cosine falls steadily over the whole context
    recency, pair, phase = 96.0, 17, 0.9
    weights = _no_attention()
    static = slice(_STATIC, _STATIC + _CODE)
    query, key = weights["attn_q"][static], weights["attn_k"][static]
    now, distant = slice(0, half), slice(half, _CODE)
    query[now, _TOKEN][:, now] = key[now, _BEFORE][:, now] = matching * np.eye(half)
    query[distant, _BEFORE][:, distant] = matching * np.eye(half)
    key[distant, _BEFORE_THAT][:, distant] = matching * np.eye(half)
    weights["attn_q"][2 * pair, CONSTANT] = recency * np.cos(phase) / _CONSTANT_VALUE
    weights["attn_q"][2 * pair + 1, CONSTANT] = recency * np.sin(phase) / _CONSTANT_VALUE
    weights["attn_k"][2 * pair, CONSTANT] = recency / _CONSTANT_VALUE
    weights["attn_v"][:_CODE, _TOKEN] = np.eye(_CODE)
    weights["attn_output"][_TOKEN, :_CODE] = copying * np.eye(_CODE)
    return weights


def _no_attention() -> dict[str, Weights]:
    square = {name: _zeros(WIDTH, WIDTH) for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
    return {"attn_norm": np.ones(WIDTH, np.float32), **square}


def _zeros(rows: int, columns: int) -> Weights:
    return np.zeros((rows, columns), np.float32)
