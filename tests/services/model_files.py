"""GGUF files to register: Parrots that differ by a byte, and adapters that are only headers."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np


def another_parrot(parrot: Path, path: Path) -> Path:
    """The same model under another SHA-256: bytes after a GGUF file's end are not read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(parrot.read_bytes() + path.name.encode())
    return path


def write_gguf(
    path: Path,
    *,
    file_type: gguf.LlamaFileType | None = None,
    adapter: bool = False,
    parts: int = 1,
) -> Path:
    """A small whole GGUF file that no engine could use; it holds its own name, so each differs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_token_list(["one", "two", "three"])
    writer.add_array("test.numbers", [1, 2, 3])
    if adapter:
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string("adapter.type", "lora")
    if parts > 1:
        writer.add_uint16("split.count", parts)
    if file_type is not None:
        writer.add_file_type(file_type)
    writer.add_tensor("weights", np.ones(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
