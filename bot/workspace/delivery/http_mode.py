"""HTTP: events, interactions and commands posted to the bot's request URL, signed."""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from bot.workspace.delivery.deliveries import ACKNOWLEDGEMENT_TIMEOUT, Delivery
from bot.workspace.errors import WorkspaceError
from bot.workspace.state.models import Payload


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The X-Slack-Signature of a request body sent at `timestamp` (seconds since the epoch)."""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _signed_headers(secret: str, now: float, body: bytes) -> dict[str, str]:
    timestamp = str(int(now))
    return {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(secret, timestamp, body),
    }


logger = logging.getLogger(__name__)

REDIRECTS = 2
"""Redirects Slack follows."""

USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_VERIFICATION_INTERVAL = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bot answered; `failure` is Slack's word for what was wrong, "" for nothing."""

    failure: str = ""
    content_type: str = ""
    text: str = ""
    no_retry: bool = False


class HttpMode:
    """Posts to the request URLs in turn, as a balancer before several replicas would.

    A replica that refuses the connection is passed over. Nothing is sent before a URL has
    answered the `url_verification` challenge; from then on an event is tried at once and
    again `redelivery_delays` seconds after each failure, and then given up.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        signing_secret: str,
        redelivery_delays: Sequence[float],
        clock: Callable[[], float],
        bot_name: str,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._urls = list(urls)
        self._secret = signing_secret
        self._redelivery_delays = tuple(redelivery_delays)
        self._clock = clock
        self._bot_name = bot_name
        self._on_change = on_change
        self._verified = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._verifying: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        return self._verified.is_set()

    async def verify(self) -> None:
        """Sends the challenge; raises WorkspaceError where the answer is not it."""
        url, challenge = self._urls[0], secrets.token_urlsafe(32)
        body = {"token": "local", "challenge": challenge, "type": "url_verification"}
        answer = await self._post(json.dumps(body), JSON)
        if answer.failure:
            raise WorkspaceError(
                f"{url} did not answer the url_verification challenge: {answer.failure}."
            )
        if challenge not in answer.text:
            raise WorkspaceError(f"{url} did not return the value of the challenge.")
        self._verified.set()
        self._on_change()

    def verify_when_there(self) -> None:
        """Keeps sending the challenge until a bot answers it."""
        self._verifying = asyncio.get_running_loop().create_task(self._verify_until_there())

    async def _verify_until_there(self) -> None:
        while not self._verified.is_set():
            try:
                await self.verify()
            except WorkspaceError as error:
                logger.debug("%s", error)
                await asyncio.sleep(_VERIFICATION_INTERVAL)

    async def carry(self, delivery: Delivery) -> None:
        await self._verified.wait()
        for wait in (0.0, *self._redelivery_delays):
            await asyncio.sleep(wait)
            answer = await self._post(
                json.dumps(delivery.payload), JSON, _retry_headers(delivery.sending())
            )
            delivery.failure = answer.failure
            if not answer.failure:
                delivery.acknowledge()
            if not answer.failure or answer.no_retry:
                return

    async def request(self, kind: str, payload: Payload) -> Payload:
        if not self.is_connected:
            raise WorkspaceError(f"{self._bot_name} is not connected. Start the bot and try again.")
        fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
        answer = await self._post(urlencode(fields), FORM)
        if answer.failure == "http_timeout":
            raise WorkspaceError(
                f"{self._bot_name} did not answer within {ACKNOWLEDGEMENT_TIMEOUT:.0f} seconds. "
                "Try again."
            )
        if answer.failure:
            raise WorkspaceError(f"{self._bot_name} could not be reached: {answer.failure}.")
        return _acknowledged_with(answer)

    async def close(self) -> None:
        if self._verifying is not None:
            self._verifying.cancel()
        if self._session is not None:
            await self._session.close()

    async def _post(
        self, body: str, content_type: str, headers: dict[str, str] | None = None
    ) -> Answer:
        """Posts to the next URL, or to the one after it where nothing listens."""
        answer = Answer("connection_failed")
        for _ in self._urls:
            url = self._urls.pop(0)
            self._urls.append(url)
            answer = await self._post_to(url, body.encode(), content_type, headers or {})
            if answer.failure != "connection_failed":
                break
        return answer

    async def _post_to(
        self, url: str, body: bytes, content_type: str, headers: dict[str, str]
    ) -> Answer:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ACKNOWLEDGEMENT_TIMEOUT)
            self._session = aiohttp.ClientSession(timeout=timeout)
        signed = {
            "Content-Type": content_type,
            "User-Agent": USER_AGENT,
            **_signed_headers(self._secret, self._clock(), body),
            **headers,
        }
        try:
            async with self._session.post(
                url, data=body, headers=signed, max_redirects=REDIRECTS
            ) as response:
                return await _answer_of(response)
        except TimeoutError:
            return Answer("http_timeout")
        except aiohttp.TooManyRedirects:
            return Answer("too_many_redirects")
        except aiohttp.ClientConnectionError:
            return Answer("connection_failed")
        except aiohttp.ClientError:
            return Answer("unknown_error")


async def _answer_of(response: aiohttp.ClientResponse) -> Answer:
    return Answer(
        "" if response.ok else "http_error",
        response.content_type,
        await response.text(),
        response.headers.get("X-Slack-No-Retry") == "1",
    )


def _retry_headers(attempt: Payload) -> dict[str, str]:
    if not attempt["retry_attempt"]:
        return {}
    return {
        "X-Slack-Retry-Num": str(attempt["retry_attempt"]),
        "X-Slack-Retry-Reason": str(attempt["retry_reason"]),
    }


def _acknowledged_with(answer: Answer) -> Payload:
    """The body of an acknowledgement: JSON, or the plain text a command may answer with."""
    if not answer.text.strip():
        return {}
    if answer.content_type != JSON:
        return {"text": answer.text}
    try:
        decoded = json.loads(answer.text)
    except json.JSONDecodeError:
        raise WorkspaceError("The bot acknowledged with what is not JSON.") from None
    return decoded if isinstance(decoded, dict) else {"text": str(decoded)}
