"""Requests to ``/v1/chat/completions``: an answer's text, or its likeliest first tokens."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from bot.domain.errors import ModelError, ModelUnreachable
from bot.domain.values import Message
from bot.serving.openai.choice import ListedToken
from bot.serving.openai.connection import Connection, Refused
from bot.serving.openai.dialect import Dialect, discover

_PATH = "/v1/chat/completions"
_FINISHED = ("stop", "length")
_ABOUT_TURNS = re.compile(r"\brole|alternat", re.IGNORECASE)
_TRIAL = (
    Message("system", "You answer with one word."),
    Message("user", "Here is a sentence."),
    Message("user", "Answer Yes or No: is it a sentence?"),
)


async def negotiate(connection: Connection, model: str, adapter: str) -> Dialect:
    """The server's dialect, found out with small requests until one is accepted."""
    dialect = await discover(connection, model, adapter)
    while not await _accepted(connection, dialect):
        pass
    try:
        await dialect.count(connection, _TRIAL)
    except Refused:  # a proxy may let through only what begins with /v1
        dialect.counts = False
    return dialect


async def _accepted(connection: Connection, dialect: Dialect) -> bool:
    """False where the dialect changed after a refusal, so that another request may succeed."""
    try:
        # min_p, of no effect here, so that its refusal is learned too
        await likeliest_tokens(connection, dialect.choice(_TRIAL, min_p=0.0))
    except (Refused, ModelUnreachable) as error:
        if isinstance(error, Refused) and dialect.learn(error):
            return False
        if dialect.alternating or not _ABOUT_TURNS.search(str(error)):
            raise
        dialect.alternating = True
        return False
    return True


async def deltas(connection: Connection, body: Mapping[str, Any]) -> AsyncGenerator[str, None]:
    """The pieces of the answer's text, without the model's reasoning.

    Raises ModelUnreachable where the answer ends unfinished, ModelError where it is reasoning only.
    """
    joiner = _SurrogateJoiner()
    written = reasoned = False
    async with aclosing(connection.events(_PATH, body)) as events:
        async for event in events:
            try:
                choice = event["choices"][0] if event["choices"] else {}
                delta = choice.get("delta") or {}
                reason = choice.get("finish_reason")
                text = joiner.feed(delta.get("content") or "")
                reasoned |= bool(delta.get("reasoning_content") or delta.get("reasoning"))
            except (AttributeError, KeyError, TypeError, IndexError) as error:
                raise connection.invalid_answer(json.dumps(event)) from error
            if text:
                yield text
                written = True
            if reason == "length" and reasoned and not written:
                raise ModelError(
                    f"The model at {connection.address} spent the room of its answer on thinking "
                    "aloud: switch that off, choose another model, or raise [model] answer_tokens."
                )
            if reason in _FINISHED:
                return
            if reason:
                raise ModelUnreachable(
                    f"The model's server at {connection.address} gave the answer up: {reason!r}."
                )
    raise ModelUnreachable(
        f"The model's server at {connection.address} broke off in the middle of the answer: look "
        "into its log, or ask again."
    )


async def likeliest_tokens(connection: Connection, body: Mapping[str, Any]) -> list[ListedToken]:
    """Candidates for the answer's first token; empty where the answer has no token."""
    answer = await connection.json("POST", _PATH, body)
    try:
        logprobs = answer["choices"][0]["logprobs"]
        if logprobs is None:
            raise ModelError(
                f"The model's server at {connection.address} gives no logprobs, which judging "
                "needs: use llama-server or vLLM."
            )
        listed = logprobs["content"][0]["top_logprobs"] if logprobs["content"] else []
        return [ListedToken.read(entry) for entry in listed]
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise connection.invalid_answer(json.dumps(answer)) from error


class _SurrogateJoiner:
    """Joins a character whose two UTF-16 surrogates come in two deltas."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16-le")(errors="replace")

    def feed(self, delta: str) -> str:
        return self._decoder.decode(delta.encode("utf-16-le", "surrogatepass"))
