"""The live feed over WebSockets: each open page gets what its person may see, as it happens."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from aiohttp import web

from bot.workspace.errors import Refused
from bot.workspace.page.shapes import PageShapes
from bot.workspace.state.changes import (
    AssistantChanged,
    Change,
    Changed,
    ChannelChanged,
    Deleted,
    Joined,
    Left,
    PersonChanged,
    Posted,
    ViewsChanged,
)
from bot.workspace.state.models import Message, Payload
from bot.workspace.state.workspace_state import WorkspaceState


@dataclass(slots=True, eq=False)
class _Page:
    """One open page: whose it is and what it is still to be told."""

    user: str
    socket: web.WebSocketResponse
    waiting: asyncio.Queue[Payload] = field(default_factory=asyncio.Queue)


class Feed:
    def __init__(self, state: WorkspaceState, shapes: PageShapes) -> None:
        self._state = state
        self._shapes = shapes
        self._pages: set[_Page] = set()
        self._bot_connected = False
        state.changes.listen(self._tell)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """A WebSocket that starts with a snapshot and goes on with updates."""
        try:
            user_id = self._state.person(request.query.get("person", "")).id
        except Refused:
            raise web.HTTPNotFound(text="There is no such person.") from None
        page = _Page(user_id, web.WebSocketResponse(heartbeat=30))
        await page.socket.prepare(request)
        page.waiting.put_nowait(self._snapshot(user_id))
        self._pages.add(page)
        writer = asyncio.create_task(_write(page))
        try:
            async for _ in page.socket:
                pass
        finally:
            self._pages.discard(page)
            writer.cancel()
        return page.socket

    def set_bot_connected(self, connected: bool) -> None:
        self._bot_connected = connected
        for page in self._pages:
            page.waiting.put_nowait({"type": "bot", "connected": connected})

    def resend(self, user_id: str, channel_id: str) -> None:
        """Tells a person's pages about a channel again."""
        channel = self._state.channel(channel_id)
        for page in self._pages:
            if page.user == user_id:
                shape = self._shapes.channel(user_id, channel)
                page.waiting.put_nowait({"type": "channel", "channel": shape})

    async def close(self) -> None:
        for page in list(self._pages):
            await page.socket.close()

    def _snapshot(self, user_id: str) -> Payload:
        return self._shapes.snapshot(user_id, connected=self._bot_connected)

    def _tell(self, change: Change) -> None:
        for page in self._pages:
            for update in self._updates(page.user, change):
                page.waiting.put_nowait(update)

    def _updates(self, user_id: str, change: Change) -> list[Payload]:
        match change:
            case Posted(message) | Changed(message):
                return self._message(user_id, message)
            case Deleted(message) if self._sees(user_id, message):
                removed = {"type": "removed", "channel": message.channel, "ts": message.ts}
                return [removed, *self._root(user_id, message)]
            case Joined() | Left() | PersonChanged() | ChannelChanged():
                return [self._snapshot(user_id)]
            case AssistantChanged(channel_id):
                return self._assistant(user_id, channel_id)
            case ViewsChanged(owner) if owner == user_id:
                return [{"type": "views", **self._shapes.views(user_id)}]
        return []

    def _sees(self, user_id: str, message: Message) -> bool:
        members = self._state.channel(message.channel).members
        return user_id in members and message.visible_to(user_id)

    def _message(self, user_id: str, message: Message) -> list[Payload]:
        """The message, and its thread's root, whose count of replies may be different."""
        if not self._sees(user_id, message):
            return []
        shape = self._shapes.message(user_id, message)
        return [{"type": "message", "message": shape}, *self._root(user_id, message)]

    def _root(self, user_id: str, message: Message) -> list[Payload]:
        if not message.is_reply:
            return []
        thread = self._state.thread(message.channel, message.root_ts)
        return [
            {"type": "message", "message": self._shapes.message(user_id, root)}
            for root in thread
            if not root.is_reply
        ]

    def _assistant(self, user_id: str, channel_id: str) -> list[Payload]:
        if user_id not in self._state.channel(channel_id).members:
            return []
        shape = self._shapes.assistant(channel_id)
        return [{"type": "assistant", "channel": channel_id, **shape}]


async def _write(page: _Page) -> None:
    # A page that goes away ends its own reading loop; no reader is left.
    with contextlib.suppress(ConnectionError):
        while True:
            await page.socket.send_json(await page.waiting.get())
