"""The arguments of one Web API call, whichever way they were sent."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import BasicAuth, web

from bot.workspace.errors import Refused
from bot.workspace.state.models import Payload


async def read_arguments(request: web.Request) -> Payload:
    """Query, form or JSON body as one object.

    The SDK sends calls without arguments as application/json with an empty body. HTTP
    Basic credentials, which oauth.v2.access takes, become client_id and client_secret.
    """
    values: Payload = {**request.query, **_credentials(request)}
    if request.content_type != "application/json":
        return values | dict(await request.post())
    body = await request.text()
    if not body:
        return values
    try:
        decoded = json.loads(body)
    except json.JSONDecodeError:
        raise Refused("invalid_json") from None
    if not isinstance(decoded, dict):
        raise Refused("json_not_object")
    return values | decoded


def _credentials(request: web.Request) -> Payload:
    header = request.headers.get("Authorization", "")
    if not header.startswith("Basic "):
        return {}
    try:
        basic = BasicAuth.decode(header)
    except ValueError:
        raise Refused("invalid_auth") from None
    return {"client_id": basic.login, "client_secret": basic.password}


class Arguments:
    """Typed reading of arguments; forms send everything as text, JSON does not."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        """The argument as text, "" where it is missing."""
        value = self._values.get(name, "")
        return value if isinstance(value, str) else str(value)

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise Refused("invalid_arguments", [f"[ERROR] missing required field: {name}"])
        return value

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("1", "true")

    def number(self, name: str, default: int, maximum: int) -> int:
        text = self.text(name)
        if not text or text == "0":
            return default
        if not text.isdecimal():
            raise Refused("invalid_limit")
        return min(int(text), maximum)

    def words(self, name: str) -> list[str]:
        """A comma-separated list."""
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def structure(self, name: str) -> Any:
        """A JSON value, decoded where it came as text; None where it is missing."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            code = "invalid_blocks_format" if name == "blocks" else "invalid_arguments"
            raise Refused(code, [f"[ERROR] {name} is not JSON"]) from None
