"""llama.cpp behind types: a model file with its vocabulary, and the cache it computes in.

Nothing here is thread-safe except as ``Weights`` says.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.domain.errors import ModelError
from bot.serving.llama_cpp.libllama import CLOSED, errors, first_error, library, why_not_loaded
from bot.serving.llama_cpp.sampler import Grammar, Sampler, grammar_rules
from bot.serving.model import Sampling


class Weights:
    """A loaded model file with its vocabulary.

    ``tokenize``, ``piece`` and ``grammar`` may be called from any thread, all else only by the
    owner.
    """

    def __init__(self, path: Path, *, gpu_layers: int, repack: bool = True) -> None:
        """``repack`` lets llama.cpp rearrange quantized weights for the processor (AMX, AVX).

        Raises ModelError when llama.cpp refuses the file.
        """
        functions = library()
        parameters = functions.llama_model_default_params()
        parameters.n_gpu_layers = gpu_layers
        parameters.use_extra_bufts = repack
        errors.clear()
        self.handle = functions.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.handle:
            raise ModelError(why_not_loaded(path))
        self._lock = threading.Lock()
        self._why_closed = CLOSED
        self._vocabulary = functions.llama_model_get_vocab(self.handle)
        self.vocabulary_size: int = functions.llama_vocab_n_tokens(self._vocabulary)
        self.trained_context: int = functions.llama_model_n_ctx_train(self.handle)
        self.shares_any_prefix: bool = not (
            functions.llama_model_is_recurrent(self.handle)
            or functions.llama_model_is_hybrid(self.handle)
        )
        self.beginning: list[int] = []  # what the vocabulary puts before every text
        if functions.llama_vocab_get_add_bos(self._vocabulary):
            self.beginning.append(functions.llama_vocab_bos(self._vocabulary))
        self._pieces: dict[int, bytes] = {}
        self.adapters: dict[str, object] = {}
        """LoRA adapters by name; freed with the model."""

    @property
    def chat_template(self) -> str | None:
        source = library().llama_model_chat_template(self.handle, None)
        return None if source is None else source.decode("utf-8", errors="replace")

    def renderer(self, template: str) -> Callable[[list[dict[str, str]]], str]:
        """The template as a function in jinja's sandbox. The function raises ModelError."""
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        functions = library()
        try:
            formatter = Jinja2ChatFormatter(
                template,
                bos_token=self._text(functions.llama_vocab_bos(self._vocabulary)),
                eos_token=self._text(functions.llama_vocab_eos(self._vocabulary)),
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
        with self._open():
            count: int = library().llama_tokenize(
                self._vocabulary, data, len(data), buffer, capacity, False, control
            )
        return buffer[:count]

    def piece(self, token: int) -> bytes:
        """The bytes of a token, which may be part of a character; empty for control tokens."""
        if token not in self._pieces:
            with self._open():
                self._pieces[token] = self._piece(token)
        return self._pieces[token]

    def grammar(self, json_schema: str) -> Grammar:
        """Raises ModelError when it is no JSON schema, or none that can be followed."""
        rules = grammar_rules(json_schema)
        with self._open():
            return Grammar(self._vocabulary, rules)

    def add_adapter(self, name: str, path: Path) -> None:
        """Load a LoRA adapter, before any context is made. Raises ModelError if it does not fit."""
        errors.clear()
        handle = library().llama_adapter_lora_init(self.handle, str(path).encode())
        if not handle:
            raise ModelError(
                f"The file {path} is no LoRA adapter of this model: name the adapter's own GGUF "
                f"file and the base model it was trained on. ({first_error()})"
            )
        self.adapters[name] = handle

    def ends_turn(self, token: int) -> bool:
        return bool(library().llama_vocab_is_eog(self._vocabulary, token))

    def close(self, reason: str = CLOSED) -> None:
        """Free the model; whoever still tokenises gets ``reason`` as a ModelError."""
        with self._lock:
            if self.handle:
                library().llama_model_free(self.handle)
            self.handle = None
            self._why_closed = reason

    @contextmanager
    def _open(self) -> Iterator[None]:
        """While the block runs, the model is not freed. Raises ModelError when it is already."""
        with self._lock:
            if not self.handle:
                raise ModelError(self._why_closed)
            yield

    def _piece(self, token: int, capacity: int = 64) -> bytes:
        buffer = ctypes.create_string_buffer(capacity)
        length = library().llama_token_to_piece(self._vocabulary, token, buffer, capacity, 0, False)
        return self._piece(token, -length) if length < 0 else buffer.raw[:length]

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = library().llama_vocab_get_text(self._vocabulary, token)
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

    def __init__(
        self,
        weights: Weights,
        *,
        cells: int,
        sequences: int,
        threads: int,
        flash_attention: bool = True,
    ) -> None:
        """Raises ModelError when the memory for the cells is not there."""
        functions = library()
        parameters = functions.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = cells
        parameters.n_seq_max = parameters.n_outputs_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = True
        if not flash_attention:
            parameters.flash_attn_type = functions.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.no_perf = True
        errors.clear()
        self._context = functions.llama_init_from_model(weights.handle, parameters)
        if not self._context:
            raise ModelError(
                f"There is not enough memory for a context of {cells} tokens in all: lower the "
                f"context or the number of slots in the settings. ({first_error()})"
            )
        self._adapters = weights.adapters
        self._vocabulary_size = weights.vocabulary_size
        self._in_use = ""
        self._memory = functions.llama_get_memory(self._context)
        self._batch = functions.llama_batch_init(cells, 0, 1)

    def use(self, adapter: str) -> None:
        """What is decoded from now on goes through this adapter, or through none if ""."""
        if adapter == self._in_use:
            return
        self._in_use = adapter
        if not adapter:
            library().llama_set_adapters_lora(self._context, None, 0, None)
            return
        handles = (library().llama_adapter_lora_p_ctypes * 1)(self._adapters[adapter])
        scales = (ctypes.c_float * 1)(1.0)
        library().llama_set_adapters_lora(self._context, handles, 1, scales)

    def decode(self, batch: Batch) -> bool:
        """Compute the batch; false, with nothing changed, when too few cells are free."""
        functions, native = library(), self._batch
        native.n_tokens = len(batch)
        for row, (token, position, sequence, output) in enumerate(batch.entries):
            native.token[row] = token
            native.pos[row] = position
            native.n_seq_id[row] = 1
            native.seq_id[row][0] = sequence
            native.logits[row] = output
        errors.clear()
        code = functions.llama_decode(self._context, native)
        if code not in (0, 1):
            raise ModelError(
                f"llama.cpp failed while computing (code {code}): restart, and if it happens "
                f"again, lower the context or the number of slots. ({first_error()})"
            )
        return bool(code == 0)

    def logits(self, row: int, tokens: Sequence[int]) -> list[float]:
        """The raw scores of ``tokens`` as the next one after this row of the last batch."""
        scores = library().llama_get_logits_ith(self._context, row)
        return [float(scores[token]) for token in tokens]

    def copy(self, source: int, target: int, length: int) -> None:
        """Let ``target`` share the first ``length`` cells of ``source``; nothing is computed."""
        library().llama_memory_seq_cp(self._memory, source, target, 0, length)

    def remove(self, sequence: int) -> None:
        library().llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def save(self, sequence: int) -> bytes:
        """What was computed for a sequence: about 12 KB a token for a model of 0.5B parameters."""
        functions = library()
        size = functions.llama_state_seq_get_size(self._context, sequence)
        state = (ctypes.c_uint8 * size)()
        written = functions.llama_state_seq_get_data(self._context, state, size, sequence)
        return bytes(memoryview(state)[:written])

    def restore(self, sequence: int, state: bytes, length: int) -> bool:
        """Bring the first ``length`` tokens of a saved sequence back; false where no room is."""
        functions = library()
        given = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        read = functions.llama_state_seq_set_data(self._context, given, len(state), sequence)
        if read == len(state) and functions.llama_memory_seq_rm(self._memory, sequence, length, -1):
            return True
        self.remove(sequence)
        return False

    def sampler(self, sampling: Sampling, grammar: Grammar | None) -> Sampler:
        return Sampler(self._context, self._vocabulary_size, sampling, grammar)

    def close(self) -> None:
        if self._context:
            library().llama_batch_free(self._batch)
            library().llama_free(self._context)
        self._context = None
