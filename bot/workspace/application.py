"""Puts the parts of a workspace together."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from bot.workspace import documents, response_urls, socket_mode
from bot.workspace.changes import Change, Posted
from bot.workspace.documents import Documents
from bot.workspace.events import events_of
from bot.workspace.faults import Faults
from bot.workspace.feed import Feed
from bot.workspace.interactions import Interactions
from bot.workspace.methods import methods_of
from bot.workspace.page_api import PAGE, PageApi, index, only_from_here
from bot.workspace.page_shapes import PageShapes
from bot.workspace.response_urls import ResponseUrls
from bot.workspace.socket_mode import SocketMode
from bot.workspace.state import WorkspaceState
from bot.workspace.streams import Streams
from bot.workspace.web_api import WebApi


class Application:
    """The parts of one workspace, wired; lives in one event loop."""

    def __init__(
        self,
        state: WorkspaceState,
        faults: Faults,
        *,
        bot_token: str,
        app_token: str,
        redelivery_delays: Sequence[float],
        stream_lifetime: float,
        folder: Path | None,
    ) -> None:
        self.state = state
        self.documents = Documents(folder) if folder else None
        self.streams = Streams(state, lifetime=stream_lifetime)
        self.socket_mode = SocketMode(state, redelivery_delays, on_change=self._bot_came_or_went)
        self.response_urls = ResponseUrls(state)
        self.interactions = Interactions(state, self.socket_mode, self.response_urls)
        shapes = PageShapes(state, self.interactions)
        self.feed = Feed(state, shapes)
        self.page_api = PageApi(state, self.streams, self.interactions, shapes, self.feed)
        self.web_api = WebApi(
            {**methods_of(state, self.streams), **self.socket_mode.table()},
            bot_token=bot_token,
            app_token=app_token,
            faults=faults,
            clock=state.clock,
        )
        state.changes.listen(self._tell_bot)

    def site(self) -> web.Application:
        application = web.Application(middlewares=[only_from_here])
        application.add_routes(
            [
                web.get("/", index),
                web.static("/page", PAGE),
                web.get("/page-api/feed", self.feed.handle),
                web.post("/page-api/{action}", self.page_api.handle),
                web.route("*", "/api/{method}", self.web_api.handle),
                web.get(socket_mode.PATH, self.socket_mode.handle),
                web.post(response_urls.PATH + "/{key}", self.response_urls.handle),
            ]
        )
        if self.documents:
            pages = f"{documents.PATH}/{{path:.+}}"
            application.router.add_get(pages, self.documents.handle)
        application.on_response_prepare.append(_always_ask_again)
        application.on_shutdown.append(self._close)
        return application

    def _bot_came_or_went(self) -> None:
        self.feed.set_bot_connected(self.socket_mode.is_connected)

    def _tell_bot(self, change: Change) -> None:
        if isinstance(change, Posted) and change.message.is_streaming:
            loop = asyncio.get_running_loop()
            loop.call_later(self.streams.lifetime, self.streams.expire_overdue)
        for payload in events_of(self.state, change):
            self.socket_mode.deliver(payload)

    async def _close(self, application: web.Application) -> None:
        await self.feed.close()
        await self.socket_mode.close()


async def _always_ask_again(request: web.Request, response: web.StreamResponse) -> None:
    # Without this a browser may show the page of the version before an upgrade.
    response.headers.setdefault("Cache-Control", "no-cache")
