"""An LLM of LlamaIndex that the settings name, as a LanguageModel: it streams, and gives verdicts.

Most of them tell no probabilities of single words. So a choice is asked for in words, one call per
continuation, and what comes back is certain: 1 for the option that was said, 0 for the others.
Thresholds between 0 and 1 decide nothing then; whether the verdicts are any good is the LLM's.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from queue import Empty, Queue

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM

from bot.domain.errors import ModelError, ModelUnreachable, PromptTooLong
from bot.domain.values import Message, ModelIdentity
from bot.serving.model import Cancellation, Sampling
from bot.serving.text import TextPieces

_BYTES_PER_TOKEN = 3  # fewer than any tokenizer needs for prose, so that prompts fit
_TOKENS_PER_MESSAGE = 8
_POLLING_SECONDS = 0.1
_VERDICT_PIECES = 16
_END = object()


class ForeignModel:
    """Safe from several threads as far as ``llm`` is. A prompt's length is estimated.

    Sampling is the LLM's own, as its arguments in the settings say, but for the most tokens (a
    piece of the stream is taken for one) and the stop strings.
    """

    def __init__(self, llm: LLM, context_tokens: int) -> None:
        """Raises ModelUnreachable where the LLM asks a server for its context, which is away."""
        kind = type(llm).__name__
        try:
            metadata = llm.metadata
        except Exception as error:
            raise _unreachable(kind, error) from error
        self._llm = llm
        self._context_tokens = min(context_tokens, metadata.context_window)
        self._identity = ModelIdentity(f"{metadata.model_name or kind} by {kind}", "")

    @property
    def identity(self) -> ModelIdentity:
        """Without a hash: which weights answer is up to the LLM."""
        return self._identity

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count(self, messages: Sequence[Message]) -> int:
        return sum(
            len(message.content.encode()) // _BYTES_PER_TOKEN + _TOKENS_PER_MESSAGE
            for message in messages
        )

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        cancellation: Cancellation | None = None,
    ) -> Iterator[str]:
        if sampling.json_schema:
            raise ModelError(f"{self._identity.name} cannot be held to a JSON schema.")
        needed = self.count(messages) + sampling.max_tokens
        if needed > self._context_tokens:
            raise PromptTooLong(
                f"Prompt and answer need about {needed} tokens, and {self._identity.name} has room "
                f"for {self._context_tokens}."
            )
        cancellation = cancellation or Cancellation()
        cancellation.check()
        text = TextPieces(sampling.stop)
        for piece in islice(self._pieces(messages, cancellation), sampling.max_tokens):
            if certain := text.feed(piece.encode()):
                yield certain
            if text.stopped:
                return
        if rest := text.finish():
            yield rest

    def choose(
        self,
        prefix: Sequence[Message],
        continuations: Sequence[str],
        options: Sequence[str],
        cancellation: Cancellation | None = None,
    ) -> list[tuple[float, ...]]:
        only = " or ".join(options)
        verdicts = Sampling(max_tokens=_VERDICT_PIECES)
        chosen = []
        for continuation in continuations:
            asked = Message("user", f"{continuation}\nReply with one word only: {only}.")
            said = "".join(self.stream([*prefix, asked], verdicts, cancellation))
            chosen.append(self._verdict(said, options))
        return chosen

    def close(self) -> None:
        """Nothing is held open."""

    def _verdict(self, said: str, options: Sequence[str]) -> tuple[float, ...]:
        """The option that stands first in what was said."""
        found = re.search("|".join(rf"\b{re.escape(one)}\b" for one in options), said, re.I)
        if not found:
            raise ModelError(f"{self._identity.name} answers neither of {', '.join(options)}.")
        return tuple(float(found[0].lower() == one.lower()) for one in options)

    def _pieces(self, messages: Sequence[Message], cancellation: Cancellation) -> Iterator[str]:
        """From a thread of their own, so that a silent LLM cannot outlast the question."""
        arriving: Queue[object] = Queue()
        turns = [ChatMessage(role=one.role, content=one.content) for one in messages]

        def listen() -> None:
            try:
                for response in self._llm.stream_chat(turns):
                    if cancellation.cancelled:
                        return
                    arriving.put(response.delta or "")
                arriving.put(_END)
            except Exception as error:  # noqa: BLE001 - whatever the package raises
                arriving.put(error)

        threading.Thread(target=listen, daemon=True).start()
        while True:
            try:
                piece = arriving.get(timeout=_POLLING_SECONDS)
            except Empty:
                cancellation.check()
                continue
            cancellation.check()
            if piece is _END:
                return
            if isinstance(piece, Exception):  # what it says may quote the prompt
                raise _unreachable(self._identity.name, piece) from piece
            if piece:
                yield str(piece)


def _unreachable(name: str, error: Exception) -> ModelUnreachable:
    return ModelUnreachable(
        f"{name} failed with {type(error).__name__}: check [model.llm] and that its server runs."
    )
