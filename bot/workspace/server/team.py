"""One workspace of those that can install the app: its state and everything around it."""

import asyncio
from collections.abc import Callable, Mapping

from bot.workspace.delivery.deliveries import Deliveries
from bot.workspace.delivery.events import events_of
from bot.workspace.delivery.interactions import Interactions
from bot.workspace.delivery.response_urls import ResponseUrls
from bot.workspace.page.api import PageApi
from bot.workspace.page.feed import Feed
from bot.workspace.page.shapes import PageShapes
from bot.workspace.state.assistant import STATUS_LIFETIME
from bot.workspace.state.changes import AssistantChanged, Change, Posted
from bot.workspace.state.models import Payload
from bot.workspace.state.streams import Streams
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Method
from bot.workspace.web_api.manifest import AppManifest
from bot.workspace.web_api.methods import methods_of


class Team:
    """The parts of one workspace, wired; lives in one event loop.

    `is_installed` says whether the workspace has the app; one that has not sends no events.
    """

    def __init__(
        self,
        state: WorkspaceState,
        deliveries: Deliveries,
        manifest: AppManifest,
        *,
        stream_lifetime: float,
        is_installed: Callable[[], bool],
        everybody: Callable[[], list[Payload]],
    ) -> None:
        self.state = state
        self.streams = Streams(state, lifetime=stream_lifetime)
        self.response_urls = ResponseUrls(state)
        self.interactions = Interactions(state, deliveries, self.response_urls, manifest)
        shapes = PageShapes(state, self.interactions, manifest, everybody)
        self.feed = Feed(state, shapes)
        self.page_api = PageApi(state, self.streams, self.interactions, manifest, shapes, self.feed)
        self.methods: Mapping[str, Method] = methods_of(state, self.streams)
        self._deliveries = deliveries
        self._manifest = manifest
        self._is_installed = is_installed
        state.changes.listen(self._hear)

    def send(self, change: Change) -> None:
        """Tells the bot of a change, whether or not the app is installed."""
        for payload in events_of(self.state, change):
            if self._manifest.hears(payload["event"]):
                self._deliveries.deliver(payload)

    def _hear(self, change: Change) -> None:
        if isinstance(change, Posted) and change.message.is_streaming:
            self._later(self.streams.lifetime, self.streams.expire_overdue)
        if isinstance(change, AssistantChanged):
            self._later(STATUS_LIFETIME, self.state.assistant.expire_overdue)
        if self._is_installed():
            self.send(change)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, action)
