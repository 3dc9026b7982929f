"""A LoRA adapter for the Parrot, built on the spot: with it, every next token is the same word.

Layer 3, which is empty in the Parrot, reads the constant part of the hidden state and adds the
word's code, far stronger than all else.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.services.tiny_model import CONSTANT, WIDTH, token_code, train_tokenizer

_LAYER, _STRENGTH = 2, 30.0


def write_tiny_adapter(path: Path, word: str, *, width: int = WIDTH) -> None:
    """Write an adapter that says ``word``, one token, again and again.

    Another ``width`` than the Parrot's makes one that does not fit it.
    """
    read, first, write = (np.zeros(width, np.float32) for _ in range(3))
    read[CONSTANT] = first[0] = 1.0
    write[:WIDTH] = _STRENGTH * token_code(train_tokenizer(), word)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 1.0)
    for name, reads, writes in (("attn_v", read, first), ("attn_output", first, write)):
        writer.add_tensor(f"blk.{_LAYER}.{name}.weight.lora_a", reads[None, :])
        writer.add_tensor(f"blk.{_LAYER}.{name}.weight.lora_b", writes[:, None].copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
