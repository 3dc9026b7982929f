"""The workspace as a running server, used from any thread."""

import errno
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from bot.workspace.application import Application
from bot.workspace.background_loop import BackgroundLoop
from bot.workspace.documents import PATH
from bot.workspace.errors import WorkspaceError
from bot.workspace.faults import Faults
from bot.workspace.models import Payload
from bot.workspace.sample_team import sample_workspace
from bot.workspace.shapes import message_shape, view_shape
from bot.workspace.state import WorkspaceState
from bot.workspace.web_api import Call

Result = TypeVar("Result")

HOST = "127.0.0.1"
ACTION_TIMEOUT = 10.0
"""Seconds an action from another thread may take before it counts as stuck."""


class Workspace:
    """A Slack-compatible workspace on 127.0.0.1, with its page.

    `port` 0 takes a free one. `redelivery_delays` are the seconds before an event nobody
    acknowledged is sent again, one after the other; `stream_lifetime` is in seconds too.
    The Markdown files below `documents` are shown under `documents_url`.
    All methods may be called from any thread but the workspace's own; those that act
    raise WorkspaceError where Slack, or the bot, would not have it.
    """

    def __init__(
        self,
        state: WorkspaceState | None = None,
        *,
        port: int = 0,
        bot_token: str = "xoxb-local",  # noqa: S107 - a token for this machine only
        app_token: str = "xapp-local",  # noqa: S107
        redelivery_delays: Sequence[float] = (3.0, 30.0, 60.0),
        stream_lifetime: float = 300.0,
        documents: Path | None = None,
    ) -> None:
        self.state = state or sample_workspace()
        self.bot_token = bot_token
        self.app_token = app_token
        self.faults = Faults()
        self._port = port
        self._application = Application(
            self.state,
            self.faults,
            bot_token=bot_token,
            app_token=app_token,
            redelivery_delays=redelivery_delays,
            stream_lifetime=stream_lifetime,
            folder=documents,
        )
        self._loop: BackgroundLoop | None = None
        self._runner: web.AppRunner | None = None

    # Life

    def start(self) -> None:
        """Serves from a thread of its own; raises WorkspaceError where the port is taken."""
        self._loop = BackgroundLoop("workspace", timeout=ACTION_TIMEOUT)
        try:
            self._await(self._serve)
        except OSError as error:
            self.stop()
            if error.errno != errno.EADDRINUSE:
                raise WorkspaceError(f"The workspace cannot listen: {error.strerror}.") from error
            raise WorkspaceError(
                f"Port {self._port} is already in use; choose another with --port."
            ) from error

    def stop(self) -> None:
        """Closes every connection; does nothing where the workspace does not run."""
        if self._loop is None:
            return
        if self._runner is not None:
            self._await(self._runner.cleanup)
        self._loop.close()
        self._loop = self._runner = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.state.url

    @property
    def api_url(self) -> str:
        """The `base_url` of a WebClient."""
        return f"{self.state.url}api/"

    @property
    def documents_url(self) -> str:
        """Where a document is, with `{path}` for its path below the documents folder."""
        return f"{self.state.url.rstrip('/')}{PATH}/{{path}}"

    # People act

    def post(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Posts `text` (in Slack's wire form: "<@U0LOREBOT> hello") and returns its ts."""
        return self._call(lambda: self.state.post(channel, user, text, thread_ts=thread_ts).ts)

    def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        self._call(lambda: self.state.edit(channel, ts, user, text))

    def delete(self, user: str, channel: str, ts: str) -> None:
        self._call(lambda: self.state.delete(channel, ts, user))

    def react(self, user: str, channel: str, ts: str, name: str) -> None:
        self._call(lambda: self.state.react(channel, ts, user, name))

    def unreact(self, user: str, channel: str, ts: str, name: str) -> None:
        self._call(lambda: self.state.unreact(channel, ts, user, name))

    def join(self, user: str, channel: str) -> None:
        self._call(lambda: self.state.join(channel, user))

    def stop_stream(self, user: str, channel: str, ts: str) -> None:
        self._call(lambda: self._application.streams.stop_by_person(channel, ts, user))

    def click(self, user: str, channel: str, ts: str, action_id: str, value: Any = None) -> None:
        """Presses what has `action_id` in a message and waits for the bot's acknowledgement.

        `value` picks the option, or the positive or negative feedback button; a plain
        button needs none.
        """
        self._await(
            lambda: self._application.interactions.click(user, channel, ts, action_id, value)
        )

    def click_in_view(self, user: str, view_id: str, action_id: str, value: Any = None) -> None:
        self._await(
            lambda: self._application.interactions.click_in_view(user, view_id, action_id, value)
        )

    def submit_view(
        self, user: str, answers: Mapping[str, Any], view_id: str = ""
    ) -> dict[str, str]:
        """Submits a modal, by default the one `user` sees; returns errors by block_id.

        `answers` are by action_id: a text, an option's value or a list of them.
        """
        wanted = view_id or self._open_view(user)["id"]
        return self._await(lambda: self._application.interactions.submit(user, wanted, answers))

    def command(self, user: str, channel: str, command: str, text: str = "") -> None:
        self._await(lambda: self._application.interactions.command(user, channel, command, text))

    def shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> None:
        self._await(lambda: self._application.interactions.shortcut(user, channel, ts, callback_id))

    def open_home(self, user: str, tab: str = "home") -> None:
        self._await(lambda: self._application.page_api.open_tab({"person": user, "tab": tab}))

    # What is there

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Payload]:
        """The messages of a channel, or of one thread, in Slack's shape, the oldest first.

        Replies, metadata and ephemeral messages (with `ephemeral_to`) are included.
        """

        def read() -> list[Payload]:
            return [
                message_shape(self.state, message, with_metadata=True)
                for message in self.state.messages(channel)
                if thread_ts in (None, message.root_ts)
            ]

        return self._call(read)

    def modal(self, user: str) -> Payload | None:
        """The modal a person sees."""
        return self._call(lambda: self._shown(self.state.views.modal(user)))

    def home(self, user: str) -> Payload | None:
        """The App Home a person sees."""
        return self._call(lambda: self._shown(self.state.views.home(user)))

    def status(self, channel: str, thread_ts: str) -> str:
        """The status line of a thread, "" where there is none."""
        statuses = self._call(lambda: self.state.assistant.statuses(channel))
        return next((each.text for each in statuses if each.thread_ts == thread_ts), "")

    @property
    def calls(self) -> list[Call]:
        """Every Web API call so far, the oldest first."""
        return self._call(lambda: list(self._application.web_api.calls))

    # The connection to the bot

    @property
    def bot_connected(self) -> bool:
        return self._application.socket_mode.is_connected

    def event_ids(self, ts: str) -> list[str]:
        """The ids of the events about the message with this ts, the oldest first."""
        deliveries = self._call(lambda: dict(self._application.socket_mode.deliveries))
        return [id_ for id_, each in deliveries.items() if _concerns(each.payload["event"], ts)]

    def attempts(self, event_id: str) -> int:
        """How often an event was sent."""
        return self._call(lambda: self._application.socket_mode.delivery(event_id).attempts)

    def acknowledged(self, event_id: str) -> bool:
        return self._call(lambda: self._application.socket_mode.delivery(event_id).acknowledged)

    def gave_up(self, event_id: str) -> bool:
        return self._call(lambda: self._application.socket_mode.delivery(event_id).gave_up)

    def deliver_again(self, event_id: str) -> None:
        """Sends an event once more under the same id, as Slack may."""
        self._call(lambda: self._application.socket_mode.deliver_again(event_id))

    def refresh_connections(self, reason: str = "refresh_requested") -> None:
        """Sends `disconnect`: the bot is to connect anew."""
        self._await(lambda: self._application.socket_mode.disconnect(reason))

    def drop_connections(self) -> None:
        """Cuts the bot off without warning."""
        self._await(lambda: self._application.socket_mode.drop())

    def wait_for(self, predicate: Callable[[], Result], timeout: float = 10.0) -> Result:
        """Calls `predicate` until it returns something true, and returns that.

        Raises WorkspaceError after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            result = predicate()
            if result:
                return result
            time.sleep(0.02)
        raise WorkspaceError(f"What was waited for did not happen within {timeout:g} seconds.")

    # Inside

    async def _serve(self) -> None:
        runner = web.AppRunner(self._application.site(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runner = runner
        site = web.TCPSite(runner, HOST, self._port)
        await site.start()
        port = runner.addresses[0][1]
        self.state.url = f"http://{HOST}:{port}/"

    def _shown(self, view: Any) -> Payload | None:
        return view_shape(self.state, view) if view is not None else None

    def _open_view(self, user: str) -> Payload:
        modal = self.modal(user)
        if modal is None:
            raise WorkspaceError(f"{user} has no modal open.")
        return modal

    def _call(self, operation: Callable[[], Result]) -> Result:
        return self._running().call(operation)

    def _await(self, coroutine: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        return self._running().run(coroutine())

    def _running(self) -> BackgroundLoop:
        if self._loop is None:
            raise WorkspaceError("The workspace does not run; start it first.")
        return self._loop


def _concerns(event: Payload, ts: str) -> bool:
    changed = event.get("message", {}).get("ts")
    return ts in (
        event.get("ts"),
        event.get("deleted_ts"),
        changed,
        event.get("item", {}).get("ts"),
    )
