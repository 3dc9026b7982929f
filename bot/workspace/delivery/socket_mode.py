"""Socket Mode: the connection over which a bot hears what happens, and acknowledges it."""

import asyncio
import contextlib
import json
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from bot.workspace.delivery.deliveries import ACKNOWLEDGEMENT_TIMEOUT, Delivery
from bot.workspace.errors import WorkspaceError
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import CONNECTION_METHOD, Method
from bot.workspace.web_api.arguments import Arguments

PATH = "/socket-mode"


@dataclass(slots=True, eq=False)
class Connection:
    """One WebSocket of the bot and the envelopes it has not acknowledged."""

    socket: web.WebSocketResponse
    closed: asyncio.Future[None]
    draining: bool = False
    open_envelopes: dict[str, asyncio.Future[Payload]] = field(default_factory=dict)

    async def send(
        self, kind: str, payload: Payload, acknowledgement: asyncio.Future[Payload], **extra: object
    ) -> None:
        envelope_id = secrets.token_hex(16)
        self.open_envelopes[envelope_id] = acknowledgement
        envelope = {
            "envelope_id": envelope_id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
            **extra,
        }
        # A connection that closes meanwhile is noticed by its `closed` future.
        with contextlib.suppress(ConnectionError):
            await self.socket.send_str(json.dumps(envelope))

    def acknowledge(self, answer: Payload) -> None:
        future = self.open_envelopes.pop(str(answer.get("envelope_id")), None)
        if future is not None and not future.done():
            future.set_result(answer.get("payload") or {})


class SocketMode:
    """Sends over the bot's connections in turn, as Slack spreads events over replicas.

    An event is sent again `redelivery_delays` seconds after the attempt before, one delay
    after the other, and then given up. One that was unacknowledged when its connection
    closed goes to the next connection, and one that finds no connection waits for one.
    """

    def __init__(
        self,
        state: WorkspaceState,
        redelivery_delays: Sequence[float],
        *,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._state = state
        self._redelivery_delays = tuple(redelivery_delays)
        self._on_change = on_change
        self._connections: list[Connection] = []
        self._connected = asyncio.Event()
        self._tickets: set[str] = set()

    # Connections

    def table(self) -> dict[str, Method]:
        return {CONNECTION_METHOD: self.open}

    def open(self, arguments: Arguments) -> Payload:
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        address = self._state.url.replace("http://", "ws://", 1).rstrip("/")
        return {"url": f"{address}{PATH}?ticket={ticket}"}

    @property
    def is_connected(self) -> bool:
        return self._connected.is_set()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden(text="This connection was not opened by apps.connections.open.")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        connection = Connection(socket, asyncio.get_running_loop().create_future())
        await socket.send_str(json.dumps(self._hello()))
        self._connections.append(connection)
        self._refresh()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    connection.acknowledge(json.loads(frame.data))
        finally:
            self._connections.remove(connection)
            connection.closed.set_result(None)
            self._refresh()
        return socket

    async def disconnect(self, reason: str) -> None:
        """Asks the bot to connect anew, as Slack does every few hours."""
        for connection in list(self._connections):
            connection.draining = True
            await connection.socket.send_str(json.dumps({"type": "disconnect", "reason": reason}))
        self._refresh()

    async def drop(self) -> None:
        """Cuts every connection without a word."""
        for connection in list(self._connections):
            connection.draining = True
            await connection.socket.close(code=1011)
        self._refresh()

    async def close(self) -> None:
        await self.drop()

    def _hello(self) -> Payload:
        return {
            "type": "hello",
            "num_connections": len(self._connections) + 1,
            "connection_info": {"app_id": self._state.app_id},
            "debug_info": {"host": "local", "approximate_connection_time": 18060},
        }

    def _refresh(self) -> None:
        if any(not connection.draining for connection in self._connections):
            self._connected.set()
        else:
            self._connected.clear()
        self._on_change()

    async def _connection(self) -> Connection:
        """The next connection that is not about to close, awaited where there is none."""
        while True:
            await self._connected.wait()
            for connection in self._connections:
                if not connection.draining:
                    self._connections.remove(connection)
                    self._connections.append(connection)
                    return connection

    # Deliveries

    async def carry(self, delivery: Delivery) -> None:
        acknowledgement: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        waits = deque((*self._redelivery_delays, ACKNOWLEDGEMENT_TIMEOUT))
        while waits and not acknowledgement.done():
            connection = await self._connection()
            attempt = delivery.sending()
            await connection.send("events_api", delivery.payload, acknowledgement, **attempt)
            either: set[asyncio.Future[Any]] = {acknowledgement, connection.closed}
            await asyncio.wait(either, timeout=waits[0], return_when=asyncio.FIRST_COMPLETED)
            if not connection.closed.done():
                waits.popleft()
            if acknowledgement.done():
                delivery.acknowledge()
            else:
                delivery.failure = "timeout"

    async def request(self, kind: str, payload: Payload) -> Payload:
        name = self._state.bot.display_name
        if not self.is_connected:
            raise WorkspaceError(f"{name} is not connected. Start the bot and try again.")
        connection = await self._connection()
        acknowledgement: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        await connection.send(kind, payload, acknowledgement)
        done, _ = await asyncio.wait({acknowledgement}, timeout=ACKNOWLEDGEMENT_TIMEOUT)
        if not done:
            raise WorkspaceError(
                f"{name} did not answer within {ACKNOWLEDGEMENT_TIMEOUT:.0f} seconds. Try again."
            )
        return acknowledgement.result()
