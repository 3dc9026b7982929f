"""A language model on any OpenAI-compatible server: llama-server, vLLM and others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from functools import partial

import anyio
import httpx2

from bot.domain.errors import ModelError, PromptTooLong
from bot.domain.values import Message, ModelIdentity
from bot.serving.breaker import CircuitBreaker
from bot.serving.model import Cancellation, Sampling
from bot.serving.openai.chat import deltas, likeliest_tokens, negotiate
from bot.serving.openai.choice import ListedToken, check_options, probabilities
from bot.serving.openai.connection import Connection, RequestPolicy
from bot.serving.openai.dialect import Dialect
from bot.serving.openai.loop import LoopThread
from bot.serving.text import TextPieces

UNKNOWN_CONTEXT_TOKENS = 4096
_CONCURRENT_CHOICES = 8
_TEMPLATE_TOKENS, _TURN_TOKENS = 64, 16  # at most what a chat template adds, and each turn


class RemoteModel:
    """Build it with ``connect``; implements LanguageModel.

    All requests run on one event loop in a thread of its own, so that they can be cancelled at
    any moment. ``breaker`` stops requests for a while after several failures in a row.
    """

    def __init__(
        self,
        loop: LoopThread,
        connection: Connection,
        dialect: Dialect,
        *,
        adapter: str = "",
        context_tokens: int = 0,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        """Takes over ``loop``, on which ``connection`` lives, and closes it."""
        self._loop = loop
        self._connection = connection
        self._dialect = dialect
        self.breaker = breaker or CircuitBreaker()
        self._choices = asyncio.Semaphore(_CONCURRENT_CHOICES)
        self._identity = ModelIdentity(f"{dialect.name} at {connection.address}", "", adapter)
        known = [tokens for tokens in (context_tokens, dialect.context_tokens) if tokens]
        self._context_tokens = min(known, default=UNKNOWN_CONTEXT_TOKENS)

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        model: str = "",
        api_key: str = "",
        adapter: str = "",
        context_tokens: int = 0,
        timeout_seconds: float = 120.0,
        policy: RequestPolicy | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> RemoteModel:
        """Ask the server at ``url`` (with or without ``/v1``) what it serves, and try it once.

        ``model`` may be empty where it serves one. ``adapter`` is a LoRA that it has loaded, by
        name (vLLM) or file name without suffix (llama-server). ``context_tokens`` limits the
        context; 0 means the server's own, or 4096 where it does not tell.
        ``timeout_seconds`` is the longest silence before and within an answer; ``policy`` gives
        it together with the other timeouts.
        Raises ModelError: ModelUnreachable where the server does not answer.
        """
        policy = policy or RequestPolicy(silence=timeout_seconds)
        connection = Connection(_root(url), _checked(api_key), policy)
        loop = LoopThread("remote model")
        try:
            loop.keep(connection.client)
            dialect = loop.run(partial(negotiate, connection, model, adapter))
        except BaseException:
            loop.close()
            raise
        return cls(
            loop,
            connection,
            dialect,
            adapter=adapter,
            context_tokens=context_tokens,
            breaker=breaker,
        )

    @property
    def identity(self) -> ModelIdentity:
        """The model's and the server's name; its weights are not known, so ``sha256`` is empty."""
        return self._identity

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count(self, messages: Sequence[Message]) -> int:
        """Exact with llama-server and vLLM; see ``Dialect.count`` for others."""
        return self._loop.run(partial(self._count, messages))

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        cancellation: Cancellation | None = None,
    ) -> Iterator[str]:
        """Nothing happens before the first piece is asked for; closing the iterator cancels."""
        yield from self._loop.iterate(partial(self._generate, messages, sampling), cancellation)

    def choose(
        self,
        prefix: Sequence[Message],
        continuations: Sequence[str],
        options: Sequence[str],
        cancellation: Cancellation | None = None,
    ) -> list[tuple[float, ...]]:
        """One request per continuation; choice.py computes the probabilities.

        They are equal for a continuation after which the server lists none of the options. Raises
        ModelError where it lists none after any of them.
        """
        if not continuations:
            return []
        check_options(options)
        prompts = [[*prefix, Message("user", text)] for text in continuations]
        listed = self._loop.run(partial(self._first_tokens, prompts), cancellation)
        chosen = [probabilities(tokens, options) for tokens in listed]
        if not any(chosen):
            raise ModelError(
                f"{self._identity.name} answers neither of {', '.join(options)} but "
                f"{_likeliest(listed[0])!r}: choose an instruction-tuned model that does not "
                "think aloud."
            )
        equal = (1 / len(options),) * len(options)
        return [found or equal for found in chosen]

    def close(self) -> None:
        """Close all connections; callers that wait get a ModelError. May be called again."""
        self._loop.close()

    async def _generate(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[str, None]:
        await self._check_room(messages, sampling.max_tokens)
        text = TextPieces(sampling.stop)
        body = self._dialect.answer(messages, sampling)
        with self.breaker.call():
            async with aclosing(deltas(self._connection, body)) as received:
                async for delta in received:
                    if piece := text.feed(delta.encode()):
                        yield piece
                    if text.stopped:
                        return
        if piece := text.finish():
            yield piece

    async def _first_tokens(self, prompts: Sequence[Sequence[Message]]) -> list[list[ListedToken]]:
        """The first prompt goes alone, so that the others find their common prefix in the cache."""
        for prompt in prompts:
            await self._check_room(prompt, 1)
        listed = {0: await self._ask(prompts[0])}

        async def ask(place: int) -> None:
            listed[place] = await self._ask(prompts[place])

        try:
            async with anyio.create_task_group() as tasks:
                for place in range(1, len(prompts)):
                    tasks.start_soon(ask, place)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return [listed[place] for place in range(len(prompts))]

    async def _ask(self, prompt: Sequence[Message]) -> list[ListedToken]:
        async with self._choices:
            with self.breaker.call():
                return await likeliest_tokens(self._connection, self._dialect.choice(prompt))

    async def _check_room(self, messages: Sequence[Message], answer: int) -> None:
        """Raises PromptTooLong, because some servers truncate silently.

        Tokens are counted only where bytes, of which a token has at least one, could exceed.
        """
        size = sum(len(message.content.encode()) for message in messages)
        size += _TEMPLATE_TOKENS + _TURN_TOKENS * len(messages)
        if size + answer <= self._context_tokens:
            return
        prompt = await self._count(messages)
        if prompt + answer > self._context_tokens:
            raise PromptTooLong(
                f"The prompt has {prompt} tokens and the answer may take {answer}, but the "
                f"model's context holds {self._context_tokens}: shorten the question or raise "
                "the context in the settings."
            )

    async def _count(self, messages: Sequence[Message]) -> int:
        with self.breaker.call():
            try:
                return await self._dialect.count(self._connection, messages)
            except (KeyError, TypeError, ValueError) as error:
                raise self._connection.invalid_answer(f"no number of tokens: {error!r}") from error


def _root(url: str) -> str:
    """The URL without ``/v1``. Raises ModelError where it could hold a secret: URLs are logged."""
    if any(mark in url for mark in "@?#"):
        raise ModelError(
            "[model] url holds more than an address: put the key into [model] api_key, and leave "
            "out what follows '?' or '#'."
        )
    try:
        address = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ModelError(f"[model] url is {url!r}: {error}.") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ModelError(f"[model] url is {url!r}: it must begin with http:// or https://.")
    return url.rstrip("/").removesuffix("/v1")


def _checked(api_key: str) -> str:
    if any(not "!" <= character <= "~" for character in api_key):
        raise ModelError(
            "[model] api_key holds characters that no key has, perhaps a blank or the end of a "
            "line: copy it again."
        )
    return api_key


def _likeliest(listed: Sequence[ListedToken]) -> str:
    best = max(listed, key=lambda token: token.probability, default=ListedToken(b"", 1.0))
    return best.text.decode(errors="replace")
