"""Reads ``tokenizer.json``: which pre-tokenizer llama.cpp must use, and what it would get wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.errors import ConversionError

SPLIT_OF_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def pre_tokenizer(model: Path) -> str:
    """The name llama.cpp has for the model's pre-tokenizer, where its definition is certain.

    "qwen2" for a byte-level BPE with exactly Qwen2's split and NFC, whatever its vocabulary; ""
    leaves it to the converter. Raises ConversionError for a tokenizer that the converter would
    accept and that would then cut nearly every text wrongly.
    """
    path = model / "tokenizer.json"
    if not path.is_file():
        return ""
    try:
        tokenizer = json.loads(path.read_text(encoding="utf-8"))
        bytes_as_last_resort = tokenizer["model"].get("byte_fallback", False)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConversionError(
            f"{path} cannot be read ({type(error).__name__}): copy it from the base model again."
        ) from error
    if bytes_as_last_resort and not (model / "tokenizer.model").is_file():
        raise ConversionError(
            f"{model} has a tokenizer with byte fallback but no tokenizer.model: converted from "
            "tokenizer.json alone it cuts most texts wrongly. Copy tokenizer.model from the base "
            "model into the folder, or choose another base."
        )
    return "qwen2" if _is_of_qwen2(tokenizer) else ""


def _is_of_qwen2(tokenizer: dict[str, Any]) -> bool:
    model = tokenizer["model"]
    merges_alone = model.get("type") == "BPE" and not any(
        model.get(key) for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix",
                                   "byte_fallback", "ignore_merges")
    )  # fmt: skip
    parts = (tokenizer.get("pre_tokenizer") or {}).get("pretokenizers", [])
    return (
        merges_alone
        and (tokenizer.get("normalizer") or {}).get("type") == "NFC"
        and [part.get("type") for part in parts] == ["Split", "ByteLevel"]
        and parts[0].get("pattern") == {"Regex": SPLIT_OF_QWEN2}
        and parts[0].get("behavior") == "Isolated"
        and not parts[0].get("invert")
        and not parts[1].get("add_prefix_space")
        and not parts[1].get("use_regex")
    )
