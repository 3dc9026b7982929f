"""HTTP requests to one server by the ``openai`` SDK; every failure becomes one of our errors.

The SDK repeats a request without a connection or answered with 408, 409, 429 or 5xx; a stream only
before it begins. ``EventParser`` is ours: the SDK's sets no limit and drops events named ``error``.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import httpx2
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, AsyncStream
from pydantic import SecretStr

from bot.domain.errors import ModelBusy, ModelError, ModelUnreachable, PromptTooLong

LARGEST_EVENT = 1 << 20  # bytes; a token with its probabilities takes some thousand

_PASSING = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.NetworkError, httpx2.ProtocolError)
_BROKEN = (httpx2.HTTPError, ssl.SSLError, anyio.EndOfStream)  # the last two by way of httpx2
_QUOTED_CHARACTERS = 300  # characters
_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|exceed_context|prompt is too long|too many tokens", re.I
)
# Not str.splitlines: JSON may hold U+2028 and its like as they are.
_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")
# Some llama.cpp servers name the field "error" where an error comes.
_DATA_FIELDS = (b"data", b"error")


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """Timeouts in seconds, and how often a request is sent."""

    connect: float = 10.0
    silence: float = 120.0
    """The longest wait for the next bytes."""
    attempts: int = 3
    """The first request included."""
    longest_pause: float = 20.0
    """A server that asks for more (Retry-After) is not asked again."""


class Refused(ModelError):
    """The server rejects the request (HTTP 4xx); ``answer`` is the body of its response."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message)
        self.answer = answer


class Connection:
    """``root`` is the server's URL without ``/v1``. For the event loop that enters ``client``."""

    def __init__(self, root: str, api_key: str, policy: RequestPolicy) -> None:
        self.address = httpx2.URL(root).netloc.decode()
        self._key = SecretStr(api_key)
        self._policy = policy
        # What is not given here, the SDK takes from the environment. _Http sends the key.
        self.client = AsyncOpenAI(
            base_url=root,
            api_key="none",
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            max_retries=policy.attempts - 1,
            timeout=httpx2.Timeout(policy.silence, connect=policy.connect, pool=policy.connect),
            http_client=_Http(api_key, policy.longest_pause),
        )

    async def json(
        self, method: Literal["GET", "POST"], path: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """The parsed response. Raises ModelError; Refused where the server rejects the request."""
        try:
            if method == "GET":
                response = await self.client.get(path, cast_to=httpx2.Response)
            else:
                response = await self.client.post(path, cast_to=httpx2.Response, body=body)
        except (APIStatusError, APIConnectionError) as error:
            raise self._failure(error) from error
        return self._parsed(response.content)

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """The parsed server-sent events up to ``[DONE]`` or the end. Raises as ``json`` does."""
        parser = EventParser()
        begun = False
        try:
            async with await self.client.post(
                path, cast_to=object, body=body, stream=True, stream_cls=AsyncStream[object]
            ) as stream:
                self._check_stream(stream.response)
                async for received in stream.response.aiter_bytes():
                    for data in parser.feed(received):
                        if data == b"[DONE]":
                            return
                        yield self._event(data, begun)
                        begun = True
        except (APIStatusError, APIConnectionError, *_BROKEN) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> ModelError:
        if isinstance(error, APIStatusError):
            return self._refusal(error.response)
        cause = error.__cause__ if isinstance(error, APIConnectionError) else error
        match cause:
            case httpx2.PoolTimeout():
                return ModelBusy("Too many questions wait for the model. Ask again later.")
            case httpx2.ConnectError() | httpx2.ConnectTimeout():
                what = "cannot be reached: is it running, and is [model] url right?"
            case httpx2.TimeoutException():
                what = f"has said nothing for {self._policy.silence:g} seconds."
            case httpx2.TransportError() | ssl.SSLError() | anyio.EndOfStream():
                what = "broke off the connection."
            case _:
                what = "does not answer as a model's server does: is [model] url right?"
        told = self._quoted(str(cause) or type(cause).__name__)
        return ModelUnreachable(f"{self._who} {what} The cause: {told}")

    def _refusal(self, response: httpx2.Response) -> ModelError:
        status, text = response.status_code, response.text
        said = self._quoted(text)
        if status in (401, 403):
            return ModelError(
                f"{self._who} refuses the key (HTTP {status}): check [model] api_key, or "
                "LOREBOT_MODEL_API_KEY in the environment."
            )
        if status == 429:
            return ModelBusy(f"{self._who} has too much to do. Ask again later. It says: {said}")
        if status == 408 or status >= 500:
            return ModelUnreachable(f"{self._who} fails (HTTP {status}). It says: {said}")
        if _TOO_LONG.search(text):
            return self._too_long(text)
        return Refused(
            f"{self._who} refuses {response.request.url.path} (HTTP {status}): check [model] url "
            f"and name. It says: {said}",
            text,
        )

    def _check_stream(self, response: httpx2.Response) -> None:
        kind = response.headers.get("content-type", "no type")
        if not kind.lower().startswith("text/event-stream"):
            raise ModelUnreachable(
                f"{self._who} answers with {kind!r} instead of a stream: is [model] url right?"
            )

    def _event(self, data: bytes, begun: bool) -> Any:
        event = self._parsed(data)
        if not (isinstance(event, dict) and event.get("error")):
            return event
        text = data.decode(errors="replace")
        if _TOO_LONG.search(text) and not begun:
            raise self._too_long(text)
        raise ModelUnreachable(f"{self._who} fails in its answer. It says: {self._quoted(text)}")

    def _too_long(self, text: str) -> PromptTooLong:
        return PromptTooLong(
            "The prompt and its answer are too long for the model: shorten the question. "
            f"{self._who} says: {self._quoted(text)}"
        )

    def _parsed(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError as error:
            raise self.invalid_answer(data.decode(errors="replace")) from error

    def invalid_answer(self, text: str) -> ModelUnreachable:
        """The error for a response that breaks the protocol; ``text`` is the response."""
        return ModelUnreachable(
            f"{self._who} does not answer as a model's server does: is [model] url right? "
            f"It says: {self._quoted(text)}"
        )

    @property
    def _who(self) -> str:
        return f"The model's server at {self.address}"

    def _quoted(self, text: str) -> str:
        """The server's message, cut, in one line, and without the key."""
        try:
            said = json.loads(text)
        except ValueError:
            said = text
        for name in ("error", "message", "detail"):
            if isinstance(said, dict):
                said = said.get(name) or said
        line = " ".join((said if isinstance(said, str) else json.dumps(said)).split())
        if key := self._key.get_secret_value():
            line = line.replace(key, "…")
        return repr(line[:_QUOTED_CHARACTERS])


class _Http(httpx2.AsyncClient):
    """The SDK's HTTP client, with three limits for which the SDK has no settings.

    No header of the SDK is sent: it adds those of OPENAI_CUSTOM_HEADERS and a description of this
    machine (X-Stainless-…). No request is repeated after a timeout, which would multiply the wait.
    No pause before a repetition is longer than ``longest_pause`` seconds.
    """

    def __init__(self, api_key: str, longest_pause: float) -> None:
        authorization = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        super().__init__(
            headers={"Content-Type": "application/json", **authorization},
            limits=httpx2.Limits(max_connections=64, max_keepalive_connections=16),
            verify=ssl.create_default_context(),  # what the system trusts, not only public ones
            trust_env=False,  # only settings.py reads the environment
        )
        self._longest_pause = longest_pause

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        bare = self.build_request(
            request.method, request.url, content=request.content, extensions=request.extensions
        )
        try:
            response = await super().send(bare, **options)
        except _PASSING:
            raise
        except httpx2.HTTPError as error:  # the SDK does not repeat on an error of its own type
            raise APIConnectionError(request=bare) from error
        asked = response.headers.get("retry-after", "")
        if asked.isdecimal() and float(asked) > self._longest_pause:
            response.headers["x-should-retry"] = "false"
        return response


class EventParser:
    """Server-sent events from a byte stream (WHATWG HTML Living Standard, 9.2.6)."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The data of the events that these bytes complete.

        Raises ModelUnreachable where an event exceeds LARGEST_EVENT.
        """
        *lines, self._rest = _LINE_END.split(self._rest + received)
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                yield b"\n".join(self._data)
                self._data.clear()
        if len(self._rest) + sum(map(len, self._data)) > LARGEST_EVENT:
            raise ModelUnreachable(
                "The model's server sends an endless event: is its address in [model] url right?"
            )

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name in _DATA_FIELDS:
            self._data.append(value.removeprefix(b" "))
