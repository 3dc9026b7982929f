"""Run a GGUF encoder in llama.cpp: token sequences in, one pooled row of numbers per text out.

Every worker is a llama.cpp context with ONE thread. Several threads in one context wait for each
other by spinning, which makes them ten and more times slower as soon as anything else runs on the
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
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from indexer.documents import Vectors
from indexer.errors import EmbedderError, IndexerError

Tokens = NDArray[np.int32]
"""Token ids of one text, shape (n_tokens,)."""
MODELS_OWN: int = llama_cpp.LLAMA_POOLING_TYPE_UNSPECIFIED
RANK: int = llama_cpp.LLAMA_POOLING_TYPE_RANK
SENTENCE: tuple[int, ...] = (
    llama_cpp.LLAMA_POOLING_TYPE_MEAN,
    llama_cpp.LLAMA_POOLING_TYPE_CLS,
    llama_cpp.LLAMA_POOLING_TYPE_LAST,
)
_SEQUENCES = 64


@dataclass(frozen=True, slots=True)
class Complaint:
    """Makes the exception for an unusable file: what is wrong with it, then ``advice``."""

    error: type[IndexerError]
    advice: str

    def about(self, path: Path, fact: str) -> IndexerError:
        return self.error(f"{path} {fact}: {self.advice}")


class PooledModel:
    """One loaded model and ``workers`` contexts; safe from several threads.

    ``max_tokens`` is the limit for one text, special tokens included, and for all texts of one
    batch together; ``pooling``, where given, overrides the pooling that the file names; ``repack``
    lets llama.cpp rearrange quantized weights for the processor. Raises the exception that
    ``complaint`` makes.
    """

    def __init__(
        self,
        path: Path,
        max_tokens: int,
        workers: int,
        complaint: Complaint,
        pooling: int = MODELS_OWN,
        *,
        repack: bool = True,
    ) -> None:
        _silence()
        self._path = path
        self._complaint = complaint
        self._contexts: list[Any] = []
        self._free: LifoQueue[Any] = LifoQueue()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=path.stem)
        parameters = llama_cpp.llama_model_default_params()
        parameters.use_extra_bufts = repack
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise complaint.about(path, "cannot be loaded")
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self.max_tokens: int = min(max_tokens, llama_cpp.llama_model_n_ctx_train(self._model))
        frame = self.tokenize("")
        self.opening, self.closing = frame[:1], frame[1:]
        try:
            for _ in range(workers):
                self._add_context(pooling)
        except IndexerError:
            self.close()
            raise
        self.pooling: int = llama_cpp.llama_pooling_type(self._contexts[0])
        ranks = self.pooling == RANK
        size = llama_cpp.llama_model_n_cls_out if ranks else llama_cpp.llama_model_n_embd
        self.width: int = size(self._model)

    @property
    def separator(self) -> Tokens:
        """Tokens between two texts of a pair, as in training: ``[SEP]`` or ``</s></s>``."""
        kind = llama_cpp.llama_vocab_type(self._vocabulary)
        doubled = llama_cpp.llama_vocab_get_add_sep(self._vocabulary)
        if kind == llama_cpp.LLAMA_VOCAB_TYPE_WPM or not doubled:
            return self.closing
        sep = llama_cpp.llama_vocab_sep(self._vocabulary)
        return np.append(self.closing, np.int32(sep))

    def tokenize(self, text: str, special: bool = True) -> Tokens:
        """The text's tokens, with ``special`` framed as the model wants one text."""
        tokens = _tokens(self._vocabulary, text, special)
        if tokens is None:
            raise self._complaint.about(self._path, "cannot tokenize a text")
        return tokens

    def rows(self, texts: Sequence[Tokens]) -> Vectors:
        """float32 array, shape (n_texts, width), not normalised.

        No text may be longer than ``max_tokens``.
        """
        rows = np.empty((len(texts), self.width), np.float32)
        for batch, found in self._threads.map(self._read, _batches(texts, self.max_tokens)):
            rows[batch.positions] = found
        return rows

    def close(self) -> None:
        self._threads.shutdown()
        while self._contexts:
            llama_cpp.llama_free(self._contexts.pop())
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    def _add_context(self, pooling: int) -> None:
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = self.max_tokens
        parameters.n_seq_max = _SEQUENCES
        parameters.kv_unified = True
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.embeddings = True
        parameters.pooling_type = pooling
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context:
            raise self._complaint.about(self._path, "cannot be run")
        self._contexts.append(context)
        self._free.put(context)

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        context = self._free.get()
        try:
            yield context
        finally:
            self._free.put(context)

    def _read(self, batch: _Batch) -> tuple[_Batch, Vectors]:
        with self._borrowed() as context:
            memory = llama_cpp.llama_get_memory(context)
            if memory:
                llama_cpp.llama_memory_clear(memory, True)
            if llama_cpp.llama_decode(context, batch.as_llama()) != 0:
                raise self._complaint.about(self._path, "failed to read a text")
            rows = [
                np.ctypeslib.as_array(
                    llama_cpp.llama_get_embeddings_seq(context, sequence), (self.width,)
                )
                for sequence in range(len(batch.positions))
            ]
            return batch, np.stack(rows)


class Vocabulary:
    """A model's tokens without its weights: nothing can be embedded. Raises EmbedderError."""

    def __init__(self, path: Path) -> None:
        _silence()
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        self._path = path
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self._model:
            raise EmbedderError(f"{path} cannot be loaded.")
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)

    def tokenize(self, text: str, special: bool = True) -> Tokens:
        """As ``PooledModel.tokenize``."""
        tokens = _tokens(self._vocabulary, text, special)
        if tokens is None:
            raise EmbedderError(f"{self._path} cannot tokenize a text.")
        return tokens


class _Batch:
    """Short texts for one call of ``llama_decode``, each as a sequence of its own."""

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
        """A ``llama_batch`` that points into these arrays, which must outlive it."""
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
    """Texts from the longest to the shortest, those next to each other batched while they fit."""
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


def _tokens(vocabulary: Any, text: str, special: bool) -> Tokens | None:
    encoded = unicodedata.normalize("NFC", text).encode("utf-8", "replace")
    room = len(encoded) + 8
    tokens = np.empty(room, np.int32)
    pointer = tokens.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token))
    count = llama_cpp.llama_tokenize(
        vocabulary, encoded, len(encoded), pointer, room, special, False
    )
    return tokens[:count] if count >= 0 else None


def _silence() -> None:
    """Turn llama.cpp's log off; failures are raised as sentences."""
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL + 1)
