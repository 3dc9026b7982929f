"""Slack's Web API: tokens, scopes, limits, faults, the call log, and the table of methods."""

import asyncio
import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aiohttp import web

from bot.workspace.errors import Refused
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.arguments import Arguments, read_arguments
from bot.workspace.web_api.faults import Fault, Faults
from bot.workspace.web_api.limits import RateLimits
from bot.workspace.web_api.scopes import missing_scopes
from bot.workspace.web_api.tokens import Grant, Tokens

logger = logging.getLogger(__name__)

Method: TypeAlias = Callable[[Arguments], Payload]
"""One method: its arguments to the fields of its answer, or Refused."""

SECRET = ("client_secret", "refresh_token", "code")
"""Arguments the call log leaves out."""

CONNECTION_METHOD = "apps.connections.open"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the bot; `at` is in seconds since the epoch, `error` "" where it went well."""

    method: str
    arguments: Payload
    at: float
    error: str = ""
    team_id: str = ""


class Workplace(Protocol):
    """A workspace as the Web API sees it."""

    @property
    def state(self) -> WorkspaceState: ...

    @property
    def methods(self) -> Mapping[str, Method]: ...


@dataclass(frozen=True, slots=True)
class AppMethods:
    """Methods of the app rather than of one workspace, by what they are called with."""

    without_token: Mapping[str, Method]
    with_app_token: Mapping[str, Method]
    with_bot_token: Mapping[str, Callable[[Grant, Arguments], Payload]]


class WebApi:
    """Answers POST and GET /api/<method>; the token says for which workspace."""

    def __init__(
        self,
        teams: Mapping[str, Workplace],
        app_methods: AppMethods,
        *,
        tokens: Tokens,
        app_token: str,
        faults: Faults,
        limits: RateLimits,
        clock: Callable[[], float],
    ) -> None:
        self._teams = teams
        self._app_methods = app_methods
        self._tokens = tokens
        self._app_token = app_token
        self._faults = faults
        self._limits = limits
        self._clock = clock
        self.calls: list[Call] = []

    async def handle(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        arguments: Payload = {}
        grant: Grant | None = None
        try:
            arguments = await read_arguments(request)
            token = _token(request, arguments)
            grant = self._grant(method, token)
            fault = self._fault(method, arguments, grant)
            if fault is not None:
                return await self._fail(request, fault, method, arguments, grant)
            answer = self._perform(method, arguments, grant)
        except Refused as refusal:
            self._log(method, arguments, grant, refusal.code)
            return _answer(_refusal_shape(refusal), grant)
        self._log(method, arguments, grant)
        return _answer({"ok": True, **answer}, grant)

    def _grant(self, method: str, token: str) -> Grant | None:
        """What the token opens; None for the methods that take no bot token."""
        if method in self._app_methods.without_token:
            return None
        if not token:
            raise Refused("not_authed")
        if method not in self._app_methods.with_app_token:
            return self._tokens.grant(token)
        if not hmac.compare_digest(token.encode(), self._app_token.encode()):
            raise Refused("invalid_auth")
        return None

    def _fault(self, method: str, arguments: Payload, grant: Grant | None) -> Fault | None:
        """What keeps this call from being answered: a fault on demand, or a limit."""
        fault = self._faults.take(method)
        if fault is not None or grant is None:
            return fault
        wait = self._limits.take(method, grant.team_id, str(arguments.get("channel", "")))
        return Fault("ratelimited", 429, {"Retry-After": str(wait)}) if wait else None

    async def _fail(
        self,
        request: web.Request,
        fault: Fault,
        method: str,
        arguments: Payload,
        grant: Grant | None,
    ) -> web.Response:
        if fault.carried_out:
            self._perform(method, arguments, grant)
        self._log(method, arguments, grant, fault.error)
        await asyncio.sleep(fault.delay)
        if not fault.status and request.transport is not None:
            request.transport.abort()
        status = fault.status or 500
        return _answer({"ok": False, "error": fault.error}, grant, status, fault.headers)

    def _perform(self, name: str, arguments: Payload, grant: Grant | None) -> Payload:
        if grant is None:
            ours = {**self._app_methods.without_token, **self._app_methods.with_app_token}
            return ours[name](Arguments(arguments))
        if name in self._app_methods.with_bot_token:
            return self._app_methods.with_bot_token[name](grant, Arguments(arguments))
        team = self._teams[grant.team_id]
        method = team.methods.get(name)
        if method is None:
            raise Refused("unknown_method", [f"[ERROR] {name} is not part of this workspace"])
        _check_scopes(name, arguments, grant, team.state)
        return method(Arguments(arguments))

    def _log(self, method: str, arguments: Payload, grant: Grant | None, error: str = "") -> None:
        if error:
            logger.info("%s answered %s", method, error)
        team_id = grant.team_id if grant else ""
        shown = {name: value for name, value in arguments.items() if name not in SECRET}
        self.calls.append(Call(method, shown, self._clock(), error, team_id))


def _check_scopes(method: str, arguments: Payload, grant: Grant, state: WorkspaceState) -> None:
    channels = {channel.id: channel.kind for channel in state.channels}
    kind = channels.get(str(arguments.get("channel", "")), "")
    needed = missing_scopes(method, grant.scopes, kind)
    if needed:
        raise Refused(
            "missing_scope",
            fields={
                "needed": ",".join(needed),
                "provided": ",".join(grant.scopes),
            },
        )


def _token(request: web.Request, arguments: Payload) -> str:
    """The call's token, taken out of its arguments where it was sent among them."""
    sent = str(arguments.pop("token", "") or "")
    header = request.headers.get("Authorization", "")
    return header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else sent


def _refusal_shape(refusal: Refused) -> Payload:
    shape: Payload = {"ok": False, "error": refusal.code, **refusal.fields}
    if refusal.details:
        shape["response_metadata"] = {"messages": list(refusal.details)}
    return shape


def _answer(
    body: Payload,
    grant: Grant | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    scopes = {"x-oauth-scopes": ",".join(grant.scopes)} if grant else {}
    return web.json_response(body, status=status, headers={**scopes, **(headers or {})})
