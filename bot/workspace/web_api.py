"""Slack's Web API: tokens, faults, the call log, and the table of methods."""

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from bot.workspace.arguments import Arguments, read_arguments
from bot.workspace.errors import Refused
from bot.workspace.faults import Faults
from bot.workspace.models import Payload

logger = logging.getLogger(__name__)

Method: TypeAlias = Callable[[Arguments], Payload]
"""One method: its arguments to the fields of its answer, or Refused."""

SCOPES = (
    "app_mentions:read,assistant:write,chat:write,commands,im:history,channels:history,"
    "groups:history,channels:read,groups:read,reactions:read,reactions:write,users:read"
)

CONNECTION_METHOD = "apps.connections.open"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the bot; `at` is in seconds since the epoch, `error` "" where it went well."""

    method: str
    arguments: Payload
    at: float
    error: str = ""


class WebApi:
    """Answers POST and GET /api/<method>."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        *,
        bot_token: str,
        app_token: str,
        faults: Faults,
        clock: Callable[[], float],
    ) -> None:
        self._methods = methods
        self._bot_token = bot_token
        self._app_token = app_token
        self._faults = faults
        self._clock = clock
        self.calls: list[Call] = []

    async def handle(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        arguments: Payload = {}
        try:
            arguments = await read_arguments(request)
            token = _token(request, arguments)
            self._check_token(method, token)
            fault = self._faults.take(method)
            if fault is not None:
                self._log(method, arguments, fault.error)
                return _answer({"ok": False, "error": fault.error}, fault.status, fault.headers)
            answer = self._perform(method, arguments)
        except Refused as refusal:
            self._log(method, arguments, refusal.code)
            return _answer(_refusal_shape(refusal))
        self._log(method, arguments)
        return _answer({"ok": True, **answer})

    def _perform(self, name: str, arguments: Payload) -> Payload:
        method = self._methods.get(name)
        if method is None:
            raise Refused("unknown_method", [f"[ERROR] {name} is not part of this workspace"])
        return method(Arguments(arguments))

    def _check_token(self, method: str, token: str) -> None:
        if not token:
            raise Refused("not_authed")
        expected = self._app_token if method == CONNECTION_METHOD else self._bot_token
        if not hmac.compare_digest(token.encode(), expected.encode()):
            raise Refused("invalid_auth")

    def _log(self, method: str, arguments: Payload, error: str = "") -> None:
        if error:
            logger.info("%s answered %s", method, error)
        self.calls.append(Call(method, arguments, self._clock(), error))


def _token(request: web.Request, arguments: Payload) -> str:
    """The call's token, taken out of its arguments where it was sent among them."""
    sent = str(arguments.pop("token", "") or "")
    header = request.headers.get("Authorization", "")
    return header.removeprefix("Bearer ").strip() or sent


def _refusal_shape(refusal: Refused) -> Payload:
    shape: Payload = {"ok": False, "error": refusal.code}
    if refusal.details:
        shape["response_metadata"] = {"messages": list(refusal.details)}
    return shape


def _answer(
    body: Payload, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.json_response(
        body, status=status, headers={"x-oauth-scopes": SCOPES, **(headers or {})}
    )
