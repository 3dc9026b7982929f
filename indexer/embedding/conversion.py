"""Convert published BERT weights to a bfloat16 GGUF file, exactly as llama.cpp's converter does.

With the gguf and safetensors libraries alone: no torch, no transformers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
from safetensors import safe_open

_STAYS_FLOAT32 = ("position_embd.weight", "token_types.weight")


def convert(model: Path, target: Path, name: str) -> None:
    """Write the mean-pooling sentence encoder in the folder ``model`` to ``target``.

    The folder is in Hugging Face's layout: ``config.json``, ``tokenizer.json`` and
    ``model.safetensors``.
    """
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(target, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.BERT])
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    _add_shape(writer, config)
    _add_vocabulary(writer, model)
    _add_tensors(writer, model, config["num_hidden_layers"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(config["type_vocab_size"])


def _add_vocabulary(writer: gguf.GGUFWriter, model: Path) -> None:
    """WordPiece as llama.cpp stores it: ``▁`` before first pieces, no ``##`` before later ones."""
    tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    number_of = tokenizer["model"]["vocab"]
    pieces = sorted(number_of, key=number_of.__getitem__)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("jina-v2-en")
    writer.add_token_list([piece if piece in special else _marked(piece) for piece in pieces])
    writer.add_token_types(
        [gguf.TokenType.CONTROL if piece in special else gguf.TokenType.NORMAL for piece in pieces]
    )
    writer.add_bos_token_id(special["[CLS]"])
    writer.add_eos_token_id(special["[SEP]"])
    writer.add_unk_token_id(special["[UNK]"])
    writer.add_sep_token_id(special["[SEP]"])
    writer.add_pad_token_id(special["[PAD]"])
    writer.add_mask_token_id(special["[MASK]"])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)


def _marked(piece: str) -> str:
    return piece[2:] if piece.startswith("##") else f"\u2581{piece}"


def _add_tensors(writer: gguf.GGUFWriter, model: Path, layers: int) -> None:
    """Matrices as bfloat16; vectors, norms, positions and token types stay float32."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, layers)
    with safe_open(model / "model.safetensors", "numpy") as tensors:
        for published_name in tensors.keys():  # noqa: SIM118
            if published_name == "embeddings.position_ids" or published_name.startswith("pooler."):
                continue
            tensor = tensors.get_tensor(published_name)
            name = names.get_name(published_name, try_suffixes=(".weight", ".bias"))
            stays = tensor.ndim == 1 or name in _STAYS_FLOAT32
            kind = gguf.GGMLQuantizationType.F32 if stays else gguf.GGMLQuantizationType.BF16
            writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
