"""One server over HTTP: what it says as JSON, every failure as one of our errors.

What may pass by itself is tried again: no connection, 429, 5xx. A stream is tried again only
until it has begun.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import httpx
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from bot.domain.errors import ModelBusy, ModelError, ModelUnreachable, PromptTooLong
from bot.serving.openai.events import EventParser

Result = TypeVar("Result")

_PASSING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.NetworkError, httpx.ProtocolError)
_SHOWN_OF_A_REFUSAL = 300  # characters
_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|exceed_context|prompt is too long|too many tokens", re.I
)


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds: ``silence`` is waited for the next bytes, ``longest_pause`` at most
    before a call is tried again, ``attempts`` times in all."""

    connect: float = 10.0
    silence: float = 120.0
    attempts: int = 3
    first_pause: float = 0.5
    longest_pause: float = 20.0


class Refused(ModelError):
    """The server understood the request and does not do it; ``answer`` is what it says."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message)
        self.answer = answer


class _Passing(Exception):
    """Wraps an error that may be gone when tried again, ``after`` so many seconds if told."""

    def __init__(self, error: ModelError, after: float | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.after = after


class Connection:
    """``root`` is the server's address without ``/v1``. All on the loop that enters ``client``."""

    def __init__(self, root: str, api_key: str, patience: Patience) -> None:
        self.place = httpx.URL(root).netloc.decode()
        self._key = SecretStr(api_key)
        self._patience = patience
        self.client = httpx.AsyncClient(
            base_url=root,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(
                patience.silence, connect=patience.connect, pool=patience.connect
            ),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
            verify=ssl.create_default_context(),  # what the system trusts, not only public ones
            trust_env=False,  # only settings.py reads the environment
        )

    async def json(
        self, method: Literal["GET", "POST"], path: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        """The server's answer. Raises ModelError, Refused for what it will never do."""

        async def ask() -> bytes:
            response = await self._send(method, path, body)
            try:
                return await response.aread()
            finally:
                await response.aclose()

        return self._parsed(await self._tried(ask))

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """The events of a stream up to ``[DONE]`` or its end. Raises as ``json`` does."""
        response = await self._tried(lambda: self._send("POST", path, body))
        parser = EventParser()
        begun = False
        try:
            self._check_stream(response)
            async for received in response.aiter_bytes():
                for data in parser.feed(received):
                    if data == b"[DONE]":
                        return
                    yield self._event(data, begun)
                    begun = True
        except httpx.HTTPError as error:
            raise self._failure(error) from error
        finally:
            await response.aclose()

    async def _tried(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """The first result of several attempts."""

        async def once() -> Result:
            try:
                return await attempt()
            except _PASSING as error:
                raise _Passing(self._failure(error)) from error
            except httpx.HTTPError as error:
                raise self._failure(error) from error

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._patience.attempts),
            wait=self._pause,
            retry=retry_if_exception(self._is_worth_a_wait),
            reraise=True,
        )
        try:
            return await retrying(once)
        except _Passing as passing:
            raise passing.error from passing.__cause__

    def _is_worth_a_wait(self, error: BaseException) -> bool:
        return isinstance(error, _Passing) and (error.after or 0) <= self._patience.longest_pause

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _Passing) and error.after is not None:
            return error.after
        growing = wait_random_exponential(self._patience.first_pause, self._patience.longest_pause)
        return growing(state)

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """The response, unread and to be closed, of a request that the server accepted."""
        request = self.client.build_request(method, path, json=body)
        response = await self.client.send(request, stream=True)
        if response.is_success:
            return response
        try:
            text = (await response.aread()).decode(errors="replace")
        finally:
            await response.aclose()
        raise self._refusal(response, text)

    def _refusal(self, response: httpx.Response, text: str) -> Exception:
        status, said = response.status_code, self._shown(text)
        if status in (401, 403):
            return ModelError(
                f"{self._who} refuses the key (HTTP {status}): check [model] api_key, or "
                "LOREBOT_MODEL_API_KEY in the environment."
            )
        if status == 429:
            error = ModelBusy(f"{self._who} has too much to do. Ask again later. It says: {said}")
            return _Passing(error, _retry_after(response))
        if status == 408 or status >= 500:
            failing = ModelUnreachable(f"{self._who} fails (HTTP {status}). It says: {said}")
            return _Passing(failing, _retry_after(response))
        if _TOO_LONG.search(text):
            return self._too_long(text)
        return Refused(
            f"{self._who} refuses {response.request.url.path} (HTTP {status}): check [model] url "
            f"and name. It says: {said}",
            text,
        )

    def _failure(self, error: httpx.HTTPError) -> ModelError:
        match error:
            case httpx.PoolTimeout():
                return ModelBusy("Too many questions wait for the model. Ask again later.")
            case httpx.ConnectError() | httpx.ConnectTimeout():
                what = "cannot be reached: is it running, and is [model] url right?"
            case httpx.TimeoutException():
                what = f"has said nothing for {self._patience.silence:g} seconds."
            case httpx.NetworkError() | httpx.ProtocolError():
                what = "broke off the connection."
            case _:
                what = "does not answer as a model's server does: is [model] url right?"
        cause = self._shown(str(error) or type(error).__name__)
        return ModelUnreachable(f"{self._who} {what} The cause: {cause}")

    def _check_stream(self, response: httpx.Response) -> None:
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
        raise ModelUnreachable(f"{self._who} fails in its answer. It says: {self._shown(text)}")

    def _too_long(self, text: str) -> PromptTooLong:
        return PromptTooLong(
            "The prompt and its answer are too long for the model: shorten the question. "
            f"{self._who} says: {self._shown(text)}"
        )

    def _parsed(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError as error:
            raise self.nonsense(data.decode(errors="replace")) from error

    def nonsense(self, text: str) -> ModelUnreachable:
        """The error for an answer that is not what the protocol says."""
        return ModelUnreachable(
            f"{self._who} does not answer as a model's server does: is [model] url right? "
            f"It says: {self._shown(text)}"
        )

    @property
    def _who(self) -> str:
        return f"The model's server at {self.place}"

    def _shown(self, text: str) -> str:
        """What a server says, short, in one line, and without the key."""
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
        return repr(line[:_SHOWN_OF_A_REFUSAL])


def _retry_after(response: httpx.Response) -> float | None:
    given = response.headers.get("retry-after", "")
    return float(given) if given.isdecimal() else None
