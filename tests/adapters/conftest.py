"""What tests of training share: the tiny base model in Hugging Face's layout."""

from __future__ import annotations

from tests.services.tiny_base import tiny_base
from tests.services.tiny_gguf import converter, tiny_gguf, tiny_quantized

__all__ = ["converter", "tiny_base", "tiny_gguf", "tiny_quantized"]
