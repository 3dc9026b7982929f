"""llama.cpp behind types: the one module that touches its C interface.

Nothing here is thread-safe except ``Weights.tokenize``. The library is loaded on first use; its
log goes to this module's logger at DEBUG.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bot.errors import ModelError
from bot.serving.model import Sampling

logger = logging.getLogger(__name__)

# what llama.cpp says about a file it refuses, and what a person can do about it
_REMEDIES = (
    (
        "unknown model architecture",
        "is of a kind this llama.cpp does not know: upgrade llama-cpp-python or choose another",
    ),
    (
        "unknown pre-tokenizer type",
        "has a tokenizer this llama.cpp does not know: upgrade llama-cpp-python or choose another",
    ),
    ("allocate", "does not fit into memory: choose a smaller or more strongly quantized model"),
    ("out of memory", "does not fit into memory: choose a smaller or more strongly quantized one"),
)
CLOSED = "The language model has been closed: start it again."
_DAMAGED = "is damaged or incomplete: download it again"
_ERROR_LEVEL = 4  # ggml.h; not what llama_cpp._logger says
_errors: deque[str] = deque(maxlen=8)
_kept_alive: list[object] = []


@cache
def _library() -> Any:
    import llama_cpp.llama_cpp as library

    @library.llama_log_callback  # type: ignore[untyped-decorator]
    def log(level: int, text: bytes, _: object) -> None:
        line = text.decode("utf-8", errors="replace").rstrip()
        if level == _ERROR_LEVEL:
            _errors.append(line)
        logger.debug("%s", line)

    library.llama_log_set(log, None)
    _kept_alive.append(log)  # the C side holds only a pointer
    library.llama_backend_init()
    return library


class Weights:
    """A loaded model file with its vocabulary.

    ``tokenize`` may be called from any thread, all else only by the owner.
    """

    def __init__(self, path: Path, *, gpu_layers: int) -> None:
        """Raises ModelError when llama.cpp refuses the file."""
        library = _library()
        parameters = library.llama_model_default_params()
        parameters.n_gpu_layers = gpu_layers
        _errors.clear()
        self.handle = library.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.handle:
            raise ModelError(_why_not_loaded(path))
        self._lock = threading.Lock()
        self._why_closed = CLOSED
        self._vocabulary = library.llama_model_get_vocab(self.handle)
        self.trained_context: int = library.llama_model_n_ctx_train(self.handle)
        self.shares_any_prefix: bool = not (
            library.llama_model_is_recurrent(self.handle)
            or library.llama_model_is_hybrid(self.handle)
        )
        self.beginning: int | None = None
        if library.llama_vocab_get_add_bos(self._vocabulary):
            self.beginning = library.llama_vocab_bos(self._vocabulary)
        self._pieces: dict[int, bytes] = {}

    @property
    def chat_template(self) -> str | None:
        source = _library().llama_model_chat_template(self.handle, None)
        return None if source is None else source.decode("utf-8", errors="replace")

    def renderer(self, template: str) -> Callable[[list[dict[str, str]]], str]:
        """The template as a function in jinja's sandbox. The function raises ModelError."""
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        library = _library()
        try:
            formatter = Jinja2ChatFormatter(
                template,
                bos_token=self._text(library.llama_vocab_bos(self._vocabulary)),
                eos_token=self._text(library.llama_vocab_eos(self._vocabulary)),
            )
        except Exception as error:
            raise ModelError(
                f"The model's chat template is wrong ({error}): choose another model."
            ) from error

        def render(turns: list[dict[str, str]]) -> str:
            try:
                # a model that can think aloud must come to the point: choose() reads one token
                prompt: str = formatter(messages=turns, enable_thinking=False).prompt
            except Exception as error:
                raise ModelError(
                    f"The model's chat template refuses the conversation ({error}): "
                    "choose another model."
                ) from error
            return prompt

        return render

    def tokenize(self, text: str, *, control: bool) -> list[int]:
        """Tokens of ``text``; control tokens in it are recognised only if ``control``."""
        data = text.encode("utf-8", errors="replace")
        capacity = len(data) + 8
        buffer = (ctypes.c_int32 * capacity)()
        with self._lock:
            if not self.handle:
                raise ModelError(self._why_closed)
            count: int = _library().llama_tokenize(
                self._vocabulary, data, len(data), buffer, capacity, False, control
            )
        return buffer[:count]

    def piece(self, token: int) -> bytes:
        """The bytes of a token, which may be part of a character; empty for control tokens."""
        if token not in self._pieces:
            self._pieces[token] = self._piece(token)
        return self._pieces[token]

    def ends_turn(self, token: int) -> bool:
        return bool(_library().llama_vocab_is_eog(self._vocabulary, token))

    def close(self, reason: str = CLOSED) -> None:
        """Free the model; whoever still tokenises gets ``reason`` as a ModelError."""
        with self._lock:
            if self.handle:
                _library().llama_model_free(self.handle)
            self.handle = None
            self._why_closed = reason

    def _piece(self, token: int, capacity: int = 64) -> bytes:
        buffer = ctypes.create_string_buffer(capacity)
        length = _library().llama_token_to_piece(
            self._vocabulary, token, buffer, capacity, 0, False
        )
        return self._piece(token, -length) if length < 0 else buffer.raw[:length]

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = _library().llama_vocab_get_text(self._vocabulary, token)
        return text.decode("utf-8", errors="replace")


class Batch:
    """Tokens to decode in one call, each with its sequence and position."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, int, bool]] = []

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, sequence: int, position: int, tokens: Sequence[int], *, output: bool) -> int:
        """Append ``tokens`` of ``sequence`` from ``position``; the row of the last of them.

        With ``output`` that row can be sampled from after decoding.
        """
        last = len(tokens) - 1
        self.entries += [
            (token, position + offset, sequence, output and offset == last)
            for offset, token in enumerate(tokens)
        ]
        return len(self.entries) - 1


class Context:
    """The key-value cache: ``cells`` tokens shared by ``sequences`` sequences."""

    def __init__(self, weights: Weights, *, cells: int, sequences: int, threads: int) -> None:
        """Raises ModelError when the memory for the cells is not there."""
        library = _library()
        parameters = library.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = cells
        parameters.n_seq_max = parameters.n_outputs_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = True
        parameters.no_perf = True
        _errors.clear()
        self._context = library.llama_init_from_model(weights.handle, parameters)
        if not self._context:
            raise ModelError(
                f"There is not enough memory for a context of {cells} tokens in all: lower the "
                f"context or the number of slots in the settings. ({_first_error()})"
            )
        self._memory = library.llama_get_memory(self._context)
        self._batch = library.llama_batch_init(cells, 0, 1)

    def decode(self, batch: Batch) -> bool:
        """Compute the batch; false, with nothing changed, when too few cells are free."""
        library, native = _library(), self._batch
        native.n_tokens = len(batch)
        for row, (token, position, sequence, output) in enumerate(batch.entries):
            native.token[row] = token
            native.pos[row] = position
            native.n_seq_id[row] = 1
            native.seq_id[row][0] = sequence
            native.logits[row] = output
        _errors.clear()
        code = library.llama_decode(self._context, native)
        if code not in (0, 1):
            raise ModelError(
                f"llama.cpp failed while computing (code {code}): restart, and if it happens "
                f"again, lower the context or the number of slots. ({_first_error()})"
            )
        return bool(code == 0)

    def logits(self, row: int, tokens: Sequence[int]) -> list[float]:
        """The raw scores of ``tokens`` as the next one after this row of the last batch."""
        scores = _library().llama_get_logits_ith(self._context, row)
        return [float(scores[token]) for token in tokens]

    def copy(self, source: int, target: int, length: int) -> None:
        """Let ``target`` share the first ``length`` cells of ``source``; nothing is computed."""
        _library().llama_memory_seq_cp(self._memory, source, target, 0, length)

    def remove(self, sequence: int) -> None:
        _library().llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def sampler(self, sampling: Sampling) -> Sampler:
        return Sampler(self._context, sampling)

    def close(self) -> None:
        if self._context:
            _library().llama_batch_free(self._batch)
            _library().llama_free(self._context)
        self._context = None


class Sampler:
    """llama.cpp's sampler chain for one generation."""

    def __init__(self, context: object, sampling: Sampling) -> None:
        library = _library()
        self._context = context
        self._chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
        if sampling.temperature <= 0:
            stages = [library.llama_sampler_init_greedy()]
        else:
            stages = [
                library.llama_sampler_init_top_p(sampling.top_p, 1),
                library.llama_sampler_init_min_p(sampling.min_p, 1),
                library.llama_sampler_init_temp(sampling.temperature),
                # the largest value would mean a seed from the clock
                library.llama_sampler_init_dist(sampling.seed % library.LLAMA_DEFAULT_SEED),
            ]
        for stage in stages:
            library.llama_sampler_chain_add(self._chain, stage)
        finalizer = weakref.finalize(self, library.llama_sampler_free, self._chain)
        finalizer.atexit = False  # the owner thread may still draw when the interpreter goes away

    def sample(self, row: int) -> int:
        """The next token after this row of the last batch."""
        return int(_library().llama_sampler_sample(self._chain, self._context, row))


def _why_not_loaded(path: Path) -> str:
    said = " ".join(_errors).lower()
    remedy = next((remedy for sign, remedy in _REMEDIES if sign in said), _DAMAGED)
    return f"The model file {path} {remedy}. ({_first_error()})"


def _first_error() -> str:
    return f"llama.cpp: {_errors[0]}" if _errors else "llama.cpp gave no reason"
