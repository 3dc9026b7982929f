"""A BERT cross-encoder with random weights, some kilobytes of GGUF, and its own arithmetic."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.indexer.embedding.bert_reference import Array, BertReference

WORDS = """leave days holiday sabbatical salary board soup lunch noon office key door travel train
meals money server alert team apple pear plum fig how many where is the a of for may we""".split()
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_CLS, _SEP = 2, 3
_WIDTH, _HEADS, _LAYERS, _FEED_FORWARD, _CONTEXT = 32, 2, 2, 64, 128


def write_tiny_reranker(path: Path, *, outputs: int = 1, head: bool = True) -> None:
    """Write the model to ``path``, with another number of ``outputs`` or without its head."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_block_count(_LAYERS)
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_token_type_count(2)
    writer.add_classifier_output_labels([f"LABEL_{number}" for number in range(outputs)])
    _add_vocabulary(writer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, _LAYERS)
    for name, tensor in weights(outputs).items():
        if head or not name.startswith("classifier."):
            writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def expected_logit(question: str, text: str) -> float:
    """What the model makes of two texts of WORDS, computed without llama.cpp."""
    tokens = [_CLS, *_tokens(question), _SEP, *_tokens(text), _SEP]
    return BertReference(weights(), _HEADS, _LAYERS).rank(tokens)


def weights(outputs: int = 1) -> dict[str, Array]:
    """By their published names; always the same."""
    random = np.random.default_rng(5)
    sizes = {
        "embeddings.word_embeddings": (len(_SPECIAL) + len(WORDS), _WIDTH),
        "embeddings.position_embeddings": (_CONTEXT, _WIDTH),
        "embeddings.token_type_embeddings": (2, _WIDTH),
    }
    linear = {"classifier.dense": (_WIDTH, _WIDTH), "classifier.out_proj": (outputs, _WIDTH)}
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{number}" for number in range(_LAYERS)):
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear[f"{layer}.attention.{part}"] = (_WIDTH, _WIDTH)
        linear[f"{layer}.intermediate.dense"] = (_FEED_FORWARD, _WIDTH)
        linear[f"{layer}.output.dense"] = (_WIDTH, _FEED_FORWARD)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    made = {f"{name}.weight": random.normal(0, 0.5, size) for name, size in sizes.items()}
    for name, size in linear.items():
        made[f"{name}.weight"] = random.normal(0, 2 / np.sqrt(size[1]), size)
        made[f"{name}.bias"] = random.normal(0, 0.1, size[0])
    for name in norms:
        made[f"{name}.weight"] = random.normal(1, 0.1, _WIDTH)
        made[f"{name}.bias"] = random.normal(0, 0.1, _WIDTH)
    return {name: value.astype(np.float32) for name, value in made.items()}


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("jina-v2-en")
    writer.add_token_list([*_SPECIAL, *(f"\u2581{word}" for word in WORDS)])
    kinds = [gguf.TokenType.CONTROL] * len(_SPECIAL) + [gguf.TokenType.NORMAL] * len(WORDS)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(_CLS)
    writer.add_eos_token_id(_SEP)
    writer.add_unk_token_id(1)
    writer.add_sep_token_id(_SEP)
    writer.add_pad_token_id(0)
    writer.add_mask_token_id(4)


def _tokens(text: str) -> list[int]:
    return [len(_SPECIAL) + WORDS.index(word) for word in text.split()]
