"""A GGUF model opened to be measured: logits of every position, its tokens, its metadata."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from adapters.errors import VerificationFailed
from bot.domain.errors import ModelError
from bot.domain.values import Message
from bot.serving.llama_cpp.context import Weights
from bot.serving.llama_cpp.template import ChatTemplate, prompt_tokens
from indexer.cores import usable_cores

Logits = NDArray[np.float32]
"""float32 of shape (tokens, vocabulary), not normalised; row i predicts the token after token i."""


class GgufModel:
    """A context manager. Not thread-safe."""

    def __init__(self, path: Path, *, context_tokens: int, adapter: Path | None = None) -> None:
        """``adapter`` is a LoRA GGUF file, not used until ``use_adapter``.

        Raises VerificationFailed when llama.cpp refuses a file.
        """
        import llama_cpp.llama_cpp as library

        self._library: Any = library
        self._context: Any = None
        try:
            # as the file holds them: what is measured is the file, on any processor
            self.weights = Weights(path, gpu_layers=0, repack=False)
        except ModelError as error:
            raise VerificationFailed(str(error)) from error
        self.path = path
        self._vocabulary = library.llama_model_get_vocab(self.weights.handle)
        self.vocabulary_size: int = library.llama_vocab_n_tokens(self._vocabulary)
        try:
            # a context is laid out for the adapters that are there when it is made
            self._adapter = self._load_adapter(adapter) if adapter else None
            self._context = self._new_context(context_tokens)
        except VerificationFailed:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model. May be called again."""
        if self._context:
            self._library.llama_free(self._context)
        self._context = None
        self.weights.close()

    def tokenize(self, text: str) -> list[int]:
        """As Hugging Face's tokenizers do by default: control tokens in the text count."""
        return self.weights.tokenize(text, control=True)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of a conversation up to where the assistant begins, as they are served."""
        return prompt_tokens(
            self._template,
            messages,
            lambda segment: self.weights.tokenize(segment.text, control=segment.control),
            self.weights.beginning,
        )

    @cached_property
    def _template(self) -> ChatTemplate:
        source = self.weights.chat_template
        if source is None:
            raise VerificationFailed(f"{self.path.name} holds no chat template: convert it again.")
        try:
            return ChatTemplate(self.weights.renderer(source))
        except ModelError as error:
            raise VerificationFailed(f"{self.path.name}: {error}") from error

    def token_text(self, token: int) -> str:
        """As the vocabulary writes it; "" for a number beyond it, which llama.cpp would die of."""
        if not 0 <= token < self.vocabulary_size:
            return ""
        text: bytes = self._library.llama_vocab_get_text(self._vocabulary, token)
        return text.decode("utf-8", errors="replace")

    def is_control(self, token: int) -> bool:
        return bool(self._library.llama_vocab_is_control(self._vocabulary, token))

    def stated(self, key: str) -> str | None:
        """What the file states for its architecture under ``key``, such as "rope.freq_base"."""
        architecture = self._metadata("general.architecture")
        return self._metadata(f"{architecture}.{key}")

    def _metadata(self, key: str) -> str | None:
        buffer = ctypes.create_string_buffer(256)
        length = self._library.llama_model_meta_val_str(
            self.weights.handle, key.encode(), buffer, len(buffer)
        )
        return None if length < 0 else buffer.value.decode("utf-8", errors="replace")

    def use_adapter(self, *, used: bool) -> None:
        """Compute with the adapter from now on, or with the base alone as at first."""
        library, handles = self._library, [self._adapter] if used else []
        adapters = (library.llama_adapter_lora_p_ctypes * len(handles))(*handles)
        scales = (ctypes.c_float * len(handles))(*[1.0] * len(handles))
        if library.llama_set_adapters_lora(self._context, adapters, len(handles), scales):
            raise VerificationFailed(f"llama.cpp cannot use the adapter with {self.path.name}.")

    def logits(self, tokens: Sequence[int]) -> Logits:
        """All logits of one text of at most ``context_tokens`` tokens, nothing taken from a cache.

        Raises VerificationFailed where llama.cpp cannot compute them.
        """
        library, count = self._library, len(tokens)
        library.llama_memory_clear(library.llama_get_memory(self._context), True)
        batch = library.llama_batch_init(count, 0, 1)
        try:
            batch.n_tokens = count
            for row, token in enumerate(tokens):
                batch.token[row] = token
                batch.pos[row] = row
                batch.n_seq_id[row] = 1
                batch.seq_id[row][0] = 0
                batch.logits[row] = True
            code = library.llama_decode(self._context, batch)
        finally:
            library.llama_batch_free(batch)
        if code:
            raise VerificationFailed(
                f"llama.cpp failed while computing with {self.path.name} (code {code}): "
                "convert it again."
            )
        logits = np.ctypeslib.as_array(
            library.llama_get_logits(self._context), (count, self.vocabulary_size)
        )
        return np.array(logits, np.float32)

    def _load_adapter(self, path: Path) -> Any:
        """It is freed with the model."""
        adapter = self._library.llama_adapter_lora_init(self.weights.handle, str(path).encode())
        if not adapter:
            raise VerificationFailed(
                f"llama.cpp refuses the adapter {path} for {self.path.name}: it is damaged, or it "
                "was trained on another base."
            )
        return adapter

    def _new_context(self, tokens: int) -> Any:
        parameters = self._library.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = tokens
        parameters.n_threads = parameters.n_threads_batch = usable_cores()
        parameters.no_perf = True
        context = self._library.llama_init_from_model(self.weights.handle, parameters)
        if not context:
            raise VerificationFailed(
                f"There is not enough memory to compute {tokens} tokens with {self.path}: close "
                "other programs, or verify on a larger machine."
            )
        return context
