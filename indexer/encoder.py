"""A GGUF sentence encoder in llama.cpp: texts in, unit vectors out, from any thread.

Every worker is a llama.cpp context with ONE thread. Several threads in one context wait for each
other by spinning, which costs a factor of ten and more as soon as anything else runs on the
machine; separate contexts share the weights and nothing else.
"""

from __future__ import annotations

import ctypes
import logging
import os
import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import LifoQueue
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from indexer.embedder_file import EmbedderFile
from indexer.errors import EmbedderError
from indexer.stores.base import Vectors

Tokens = NDArray[np.int32]
_SEQUENCES = 64
_GARBLED = "it is damaged or no GGUF embedding model; name another in [index] embedder."


class Encoder:
    """One loaded model and ``workers`` contexts. Raises EmbedderError."""

    def __init__(self, file: EmbedderFile, workers: int) -> None:
        _silence()
        self._path = file.path
        self._contexts: list[Any] = []
        self._free: LifoQueue[Any] = LifoQueue()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="embedder")
        parameters = llama_cpp.llama_model_default_params()
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(file.path), parameters)
        if not self._model:
            raise EmbedderError(f"{file.path} cannot be loaded: {_GARBLED}")
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.dimension: int = llama_cpp.llama_model_n_embd(self._model)
        self.max_tokens: int = min(file.max_tokens, llama_cpp.llama_model_n_ctx_train(self._model))
        frame = self._tokenize("")
        self.special_tokens = len(frame)
        self._closing = frame[1:]
        try:
            for _ in range(workers):
                self._add_context()
        except EmbedderError:
            self.close()
            raise

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` without the special ones that frame it."""
        return len(self._tokenize(text, special=False))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One unit-length row a text; what exceeds ``max_tokens`` is cut off."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        batches = _batches([self._fitting(text) for text in texts], self.max_tokens)
        for batch, rows in self._threads.map(self._encode_batch, batches):
            vectors[batch.positions] = rows
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise EmbedderError(f"{self._path} yields empty vectors: {_GARBLED}")
        vectors /= lengths
        return vectors

    def close(self) -> None:
        self._threads.shutdown()
        while self._contexts:
            llama_cpp.llama_free(self._contexts.pop())
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    def _add_context(self) -> None:
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = self.max_tokens
        parameters.n_seq_max = _SEQUENCES
        parameters.kv_unified = True
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.embeddings = True
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context:
            raise EmbedderError(f"{self._path} cannot be run: {_GARBLED}")
        self._contexts.append(context)
        self._free.put(context)
        if llama_cpp.llama_pooling_type(context) not in _POOLINGS:
            raise EmbedderError(
                f"{self._path} is no sentence encoder: it does not say how to pool its tokens; "
                "name another in [index] embedder."
            )

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        context = self._free.get()
        try:
            yield context
        finally:
            self._free.put(context)

    def _tokenize(self, text: str, special: bool = True) -> Tokens:
        encoded = unicodedata.normalize("NFC", text).encode("utf-8", "replace")
        room = len(encoded) + 8
        tokens = np.empty(room, np.int32)
        pointer = tokens.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token))
        count = llama_cpp.llama_tokenize(
            self._vocabulary, encoded, len(encoded), pointer, room, special, False
        )
        if count < 0:
            raise EmbedderError(f"{self._path} cannot tokenize a text: {_GARBLED}")
        return tokens[:count]

    def _fitting(self, text: str) -> Tokens:
        tokens = self._tokenize(text)
        if len(tokens) <= self.max_tokens:
            return tokens
        return np.concatenate((tokens[: self.max_tokens - len(self._closing)], self._closing))

    def _encode_batch(self, batch: _Batch) -> tuple[_Batch, Vectors]:
        with self._borrowed() as context:
            memory = llama_cpp.llama_get_memory(context)
            if memory:
                llama_cpp.llama_memory_clear(memory, True)
            if llama_cpp.llama_decode(context, batch.as_llama()) != 0:
                raise EmbedderError(f"{self._path} failed to embed a text: {_GARBLED}")
            rows = [
                np.ctypeslib.as_array(
                    llama_cpp.llama_get_embeddings_seq(context, sequence), (self.dimension,)
                )
                for sequence in range(len(batch.positions))
            ]
            return batch, np.stack(rows)


_POOLINGS = (
    llama_cpp.LLAMA_POOLING_TYPE_MEAN,
    llama_cpp.LLAMA_POOLING_TYPE_CLS,
    llama_cpp.LLAMA_POOLING_TYPE_LAST,
)


class _Batch:
    """Several short texts that the model reads at once, each as a sequence of its own."""

    def __init__(self, positions: Sequence[int], texts: Sequence[Tokens]) -> None:
        self.positions = list(positions)
        lengths = [len(text) for text in texts]
        size = sum(lengths)
        self._tokens = np.concatenate(texts)
        self._places = np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])
        self._sequences = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
        self._one_sequence = np.ones(size, np.int32)
        self._outputs = np.ones(size, np.int8)
        first = self._sequences.ctypes.data
        self._sequence_pointers = first + 4 * np.arange(size, dtype=np.uintp)

    def as_llama(self) -> Any:
        """llama.cpp's view of these arrays, which must outlive it."""
        batch = llama_cpp.llama_batch()
        batch.n_tokens = len(self._tokens)
        for name, array in (
            ("token", self._tokens),
            ("pos", self._places),
            ("n_seq_id", self._one_sequence),
            ("seq_id", self._sequence_pointers),
            ("logits", self._outputs),
        ):
            kind = dict(llama_cpp.llama_batch._fields_)[name]
            setattr(batch, name, ctypes.cast(array.ctypes.data, kind))
        return batch


def _batches(texts: Sequence[Tokens], room: int) -> Iterator[_Batch]:
    """Neighbours in length share a batch as long as they fit."""
    waiting: list[int] = []
    used = 0
    for position in sorted(range(len(texts)), key=lambda position: -len(texts[position])):
        length = len(texts[position])
        if waiting and (used + length > room or len(waiting) == _SEQUENCES):
            yield _Batch(waiting, [texts[index] for index in waiting])
            waiting, used = [], 0
        waiting.append(position)
        used += length
    if waiting:
        yield _Batch(waiting, [texts[index] for index in waiting])


def _silence() -> None:
    """llama.cpp's own remarks; what matters is raised as a sentence."""
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL + 1)
