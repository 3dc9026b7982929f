"""An ASGI application behind a port of this machine, served from a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from bot.domain.errors import BotSettingsError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_SECONDS = 10.0
"""From the first byte of a request to the last of its body; Slack sends each at once."""

_MOST_CONNECTIONS = 512
"""More are closed at once: each takes one of the files that this process may have open."""

_LINGER_SECONDS = 5.0
"""For a peer that does not take the last answer."""

_START_SECONDS = 10.0
_STOP_SECONDS = 5


class WebServer:
    """Serves one application until closed; ``port`` 0 in the address takes a free one.

    A request that has not come whole after ``request_seconds`` is answered with 408, one whose
    body is larger than ``largest_body`` bytes with 413. Only POST may have a body, and it has to
    say how long: ``Transfer-Encoding`` counts as too large.
    """

    def __init__(
        self,
        application: Application,
        address: str,
        *,
        largest_body: int = 0,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """Listens at once on ``HOST:PORT``. Raises BotSettingsError where that cannot be."""
        import uvicorn

        self._socket = listening_socket(address)
        self.port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(
            uvicorn.Config(
                BoundedBody(application, largest_body),
                http=_protocol(request_seconds),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(target=self._run, name=f"web server {address}", daemon=True)

    def start(self) -> None:
        """Returns when requests are taken."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive():
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        if not self._server.started:
            raise BotSettingsError("The web server did not start; run with --verbose to see.")

    @property
    def is_serving(self) -> bool:
        return self._server.started and self._thread.is_alive()

    def close(self) -> None:
        """Take nothing new, finish what is being answered."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


class BoundedBody:
    """An application that never gets more than ``largest`` bytes of a body, and only by POST."""

    def __init__(self, application: Application, largest: int) -> None:
        self._application = application
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        largest = self._largest if scope["method"] == "POST" else 0
        if _announced_length(scope) > largest:
            await answer(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        received = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal received
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            received += len(message.get("body", b""))
            if received > largest:
                raise _TooLarge
            return message

        try:
            await self._application(scope, counted, send)
        except _TooLarge:
            await answer(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except _Gone:
            pass  # the peer has hung up in the middle of its request: there is none to answer


async def answer(send: Send, status: HTTPStatus) -> None:
    """Sends a status with its own phrase as the text."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": f"{status.phrase}\n".encode()})


def listening_socket(address: str) -> socket.socket:
    """Bound to ``HOST:PORT``. Raises BotSettingsError where that cannot be."""
    host, _, port = address.rpartition(":")
    try:
        if not 0 <= int(port) <= 65_535:
            raise ValueError(f"there is no port {port}")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except (OSError, ValueError) as error:
        raise BotSettingsError(
            f"{address} cannot be served: {error}. Give HOST:PORT, for instance 127.0.0.1:3000, "
            "with a port that is free."
        ) from error


class _TooLarge(Exception):
    """More of a body has come than the application takes."""


class _Gone(Exception):
    """The peer has hung up, or was hung up on, before its request was whole."""


def _announced_length(scope: Scope) -> float:
    """Of a request's body in bytes; infinite for one that is sent without saying how long."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return float("inf")
    # The protocol has refused whatever is not a number.
    return int(headers.get(b"content-length", b"0"))


def _protocol(request_seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's HTTP/1.1, with a deadline for each request and a limit of connections.

    uvicorn itself waits forever for the rest of a request that has begun.
    """
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class BoundedProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > _MOST_CONNECTIONS:
                transport.abort()
            else:
                self._begin()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch()

        def send_400_response(self, msg: str) -> None:
            self._refuse(HTTPStatus.BAD_REQUEST)

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

        def _should_upgrade(self) -> bool:
            return False

        def _watch(self) -> None:
            """The deadline runs while a part of a request is here and the rest is not."""
            if self._is_partly_here():
                self._begin()
            else:
                self._end()

        def _is_partly_here(self) -> bool:
            if self.conn.their_state is h11.IDLE:
                return bool(self.conn.trailing_data[0])
            return self.conn.their_state is h11.SEND_BODY

        def _begin(self) -> None:
            if self._deadline is None:
                self._deadline = self.loop.call_later(request_seconds, self._expire)

        def _end(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _expire(self) -> None:
            self._deadline = None
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

        def _refuse(self, status: HTTPStatus) -> None:
            """Answers where nothing was answered yet, tells the application, and hangs up."""
            if self.transport.is_closing():
                return
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
                said = (
                    h11.Response(status_code=status.value, headers=headers, reason=status.phrase),
                    h11.Data(data=f"{status.phrase}\n".encode()),
                    h11.EndOfMessage(),
                )
                self.transport.write(b"".join(self.conn.send(event) or b"" for event in said))
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self.transport.close()
            self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    return BoundedProtocol
