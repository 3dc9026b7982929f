"""Socket Mode and HTTP: the two ways in which events reach the Bolt app."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Protocol, cast

from anyio import to_thread
from slack_bolt import App, BoltRequest, BoltResponse
from slack_bolt.adapter.asgi.base_handler import BaseSlackRequestHandler
from slack_bolt.adapter.asgi.http_request import AsgiHttpRequest
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.oauth import OAuthFlow

from bot.telemetry.web_server import Receive, Scope, Send, WebServer, answer

EVENTS_PATH = "/slack/events"
_LARGEST_BODY = 4_000_000
"""Bytes; Slack's own limit for what it sends is far below."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class Transport(Protocol):
    """Where events come from."""

    def connect(self) -> None:
        """From now on events arrive."""
        ...

    @property
    def is_connected(self) -> bool: ...

    def close(self) -> None: ...


class SocketTransport:
    """Socket Mode: the bot dials out, so that nothing of it has to be reachable."""

    def __init__(self, app: App, app_token: str) -> None:
        self._handler = SocketModeHandler(app, app_token)

    def connect(self) -> None:
        self._handler.connect()  # type: ignore[no-untyped-call]

    @property
    def is_connected(self) -> bool:
        return bool(self._handler.client.is_connected())

    def close(self) -> None:
        close_socket(self._handler)


class HttpTransport:
    """HTTP: Slack posts to the request URL; any number of replicas may stand behind it."""

    def __init__(self, app: App, address: str) -> None:
        """Raises BotSettingsError where the address cannot be listened on."""
        self._server = WebServer(SlackApplication(app), address, largest_body=_LARGEST_BODY)

    @property
    def port(self) -> int:
        return self._server.port

    def connect(self) -> None:
        self._server.start()

    @property
    def is_connected(self) -> bool:
        return self._server.is_serving

    def close(self) -> None:
        self._server.close()


class SlackApplication(BaseSlackRequestHandler):
    """A Bolt app as an ASGI application, each request in a thread of its own.

    Bolt's own adapter runs listeners inside the event loop: one that waits for the database would
    keep all other receipts waiting.
    """

    def __init__(self, app: App, path: str = EVENTS_PATH) -> None:
        self.app = app
        self.path = path

    async def dispatch(self, request: AsgiHttpRequest) -> BoltResponse:
        made = await _bolt_request(request)
        if not _can_be_verified(made):
            return BoltResponse(status=401, body={"error": "invalid request"})
        return await to_thread.run_sync(self.app.dispatch, made)

    async def handle_installation(self, request: AsgiHttpRequest) -> BoltResponse:
        flow = cast(OAuthFlow, self.app.oauth_flow)
        return await to_thread.run_sync(flow.handle_installation, await _bolt_request(request))

    async def handle_callback(self, request: AsgiHttpRequest) -> BoltResponse:
        flow = cast(OAuthFlow, self.app.oauth_flow)
        return await to_thread.run_sync(flow.handle_callback, await _bolt_request(request))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(cast(dict[str, Any], scope), receive, send)
        except _BadRequest:
            await answer(send, HTTPStatus.BAD_REQUEST)


def close_socket(handler: SocketModeHandler) -> None:
    """Take nothing new, acknowledge what was taken, and close for good, at once.

    slack_sdk 3.47 by itself cuts acknowledgements off, sits out its last reads of up to three
    seconds, and stumbles over its own socket, which is None by the second try.
    """
    client: Any = handler.client
    client.auto_reconnect_enabled = False
    client.closed = True
    client.message_queue.put(None)  # wakes who waits for the next message
    if client.message_processor.is_alive():
        client.message_processor.shutdown()
    client.message_workers.shutdown()
    with suppress(AttributeError, OSError):
        client.current_session.sock.shutdown(socket.SHUT_RDWR)
    try:
        client.close()
    except AttributeError:
        client.close()


class _BadRequest(Exception):
    """What has come cannot be what Slack or a browser sends."""


async def _bolt_request(request: AsgiHttpRequest) -> BoltRequest:
    """Raises _BadRequest for what is no text, and for a body that is not what it says it is."""
    try:
        made = BoltRequest(
            body=await request.get_raw_body(),
            query=request.query_string,
            headers=request.get_headers(),
        )
    # Bolt parses before it checks the signature, and expects of the parts what Slack sends.
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise _BadRequest from error
    texts = [text for values in made.query.values() for text in values]
    if not isinstance(made.body, dict) or any("\0" in text for text in texts):
        raise _BadRequest
    return made


def _can_be_verified(request: BoltRequest) -> bool:
    """slack_sdk 3.47 raises for a timestamp that is no number or a signature beyond ASCII."""
    timestamp = request.headers.get("x-slack-request-timestamp", ["0"])[0]
    signature = request.headers.get("x-slack-signature", [""])[0]
    return bool(_TIMESTAMP.fullmatch(timestamp)) and signature.isascii()
