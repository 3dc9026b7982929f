"""The workspace as a running server, used from any thread."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from bot.workspace.errors import WorkspaceError
from bot.workspace.page.documents import PATH
from bot.workspace.sample_team import sample_workspace
from bot.workspace.server.actions import Actions
from bot.workspace.server.application import App, Application
from bot.workspace.server.running import HOST, Running
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import Call
from bot.workspace.web_api.faults import Faults
from bot.workspace.web_api.limits import RateLimits
from bot.workspace.web_api.manifest import AppManifest
from bot.workspace.web_api.oauth import Client

Result = TypeVar("Result")

REDELIVERY_OVER_SOCKETS = (3.0, 30.0, 60.0)
REDELIVERY_OVER_HTTP = (0.0, 60.0, 300.0)


class Workspace(Actions):
    """A Slack-compatible workspace on 127.0.0.1, with its page.

    `port` 0 takes a free one. `redelivery_delays` are the seconds before an event that was not
    acknowledged is sent again, one after the other; `stream_lifetime` is in seconds too.
    The Markdown files below `documents` are shown under `documents_url`.

    Events go over Socket Mode, or by HTTP to `request_url`, one address or those of
    several replicas. With a `manifest` the app hears, may do and is asked only what that
    says. `others` are more workspaces, which install the app by OAuth; so does the first
    one where it is not `installed`. With a `token_lifetime` in seconds, tokens rotate.

    All methods may be called from any thread but the workspace's own; those that act
    raise WorkspaceError where Slack, or the bot, would not have it.
    """

    def __init__(
        self,
        state: WorkspaceState | None = None,
        *,
        others: Sequence[WorkspaceState] = (),
        port: int = 0,
        bot_token: str = "xoxb-local",  # noqa: S107 - a token for this machine only
        app_token: str = "xapp-local",  # noqa: S107
        signing_secret: str = "local-signing-secret",  # noqa: S107
        client_id: str = "1001.2002",
        client_secret: str = "local-client-secret",  # noqa: S107
        redirect_urls: Sequence[str] = (),
        installed: bool = True,
        token_lifetime: float | None = None,
        manifest: Mapping[str, Any] | None = None,
        request_url: str | Sequence[str] = (),
        redelivery_delays: Sequence[float] | None = None,
        stream_lifetime: float = 300.0,
        documents: Path | None = None,
    ) -> None:
        self.bot_token = bot_token
        self.app_token = app_token
        self.signing_secret = signing_secret
        self.client_id = client_id
        self.client_secret = client_secret
        self.faults = Faults()
        self.limits = RateLimits()
        self._request_urls = _several(request_url)
        usual = REDELIVERY_OVER_HTTP if self._request_urls else REDELIVERY_OVER_SOCKETS
        states = (state or sample_workspace(), *others)
        self._application = Application(
            states,
            App(
                bot_token=bot_token,
                app_token=app_token,
                signing_secret=signing_secret,
                client=Client(client_id, client_secret, tuple(redirect_urls)),
                manifest=AppManifest.read(manifest),
                redelivery_delays=usual if redelivery_delays is None else redelivery_delays,
                token_lifetime=token_lifetime,
                stream_lifetime=stream_lifetime,
            ),
            self.faults,
            self.limits,
            installed=installed,
            folder=documents,
        )
        super().__init__(self._application.teams[states[0].team_id], Running(port))

    # Life

    def start(self) -> None:
        """Serves from a thread of its own; raises WorkspaceError where the port is taken."""
        port = self._running.start(self._application.site())
        for team in self._application.teams.values():
            team.state.url = f"http://{HOST}:{port}/"
        if self._request_urls:
            self._deliver_over_http(self._request_urls, verified_now=False)

    def stop(self) -> None:
        """Closes every connection; does nothing where the workspace does not run."""
        self._running.stop()

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

    # Addresses

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.state.url

    @property
    def api_url(self) -> str:
        """The `base_url` of a WebClient."""
        return f"{self.state.url}api/"

    @property
    def authorize_url(self) -> str:
        """OAuth's authorization URL, where a person installs the app into a workspace."""
        return f"{self.state.url}oauth/v2/authorize"

    @property
    def documents_url(self) -> str:
        """Where a document is, with `{path}` for its path below the documents folder."""
        return f"{self.state.url.rstrip('/')}{PATH}/{{path}}"

    # Workspaces and their installations

    def team(self, team_id: str) -> Actions:
        """One of several workspaces, to act in."""
        team = self._application.teams.get(team_id)
        if team is None:
            raise WorkspaceError(f"No workspace has the id {team_id}.")
        return Actions(team, self._running)

    def install(self, authorize_url: str, user: str, *, allow: bool = True) -> str:
        """Presses "Allow" as `user` on the page at this address; returns where that leads."""
        oauth = self._application.oauth

        def decide() -> str:
            wanted = oauth.request(dict(parse_qsl(urlsplit(authorize_url).query)))
            team_id = self._application.team_of(user).state.team_id
            return oauth.allow(wanted, team_id, user) if allow else oauth.deny(wanted)

        return self._call(decide)

    def uninstall(self, team_id: str = "") -> None:
        """Takes the app out of a workspace; the bot is told, and its tokens are revoked."""
        wanted = team_id or self.state.team_id
        self._call(lambda: self._application.oauth.remove(wanted))

    def expire_tokens(self) -> None:
        """Lets every rotating token be over now; only its refresh token still works."""
        self._call(self._application.tokens.expire_all)

    # The connection to the bot

    def deliver_to(self, *urls: str) -> None:
        """Turns to HTTP: to this request URL, or to these of several replicas in turn.

        Raises WorkspaceError where the first does not answer the url_verification challenge.
        """
        self._deliver_over_http(urls, verified_now=True)

    def deliver_over_sockets(self) -> None:
        """Turns back to Socket Mode."""
        self._await(self._application.deliver_over_sockets)

    @property
    def bot_connected(self) -> bool:
        return self._application.deliveries.is_connected

    def event_ids(self, ts: str) -> list[str]:
        """The ids of the events about the message with this ts, the oldest first."""
        deliveries = self._call(lambda: dict(self._application.deliveries.by_event))
        return [id_ for id_, each in deliveries.items() if _concerns(each.payload["event"], ts)]

    def attempts(self, event_id: str) -> int:
        """How often an event was sent."""
        return self._call(lambda: self._application.deliveries.delivery(event_id).attempts)

    def acknowledged(self, event_id: str) -> bool:
        return self._call(lambda: self._application.deliveries.delivery(event_id).acknowledged)

    def gave_up(self, event_id: str) -> bool:
        return self._call(lambda: self._application.deliveries.delivery(event_id).gave_up)

    def acknowledgement_seconds(self) -> list[float]:
        """How long each acknowledged event took to be, since it was last sent."""
        deliveries = self._call(lambda: list(self._application.deliveries.by_event.values()))
        return [
            each.acknowledged_after for each in deliveries if each.acknowledged_after is not None
        ]

    def deliver_again(self, event_id: str) -> None:
        """Sends an event once more under the same id, as Slack may."""
        self._call(lambda: self._application.deliveries.deliver_again(event_id))

    def deliver_twice(self, share: float, seed: int = 0) -> None:
        """Sends this share of all events to come twice under the same id."""
        self._call(lambda: self._application.deliveries.duplicate(share, seed))

    def refresh_connections(self, reason: str = "refresh_requested") -> None:
        """Sends `disconnect`: the bot is to connect anew."""
        self._await(lambda: self._application.socket_mode.disconnect(reason))

    def drop_connections(self) -> None:
        """Cuts the bot off without warning."""
        self._await(self._application.socket_mode.drop)

    @property
    def calls(self) -> list[Call]:
        """Every Web API call so far, the oldest first."""
        return self._call(lambda: list(self._application.web_api.calls))

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

    def _deliver_over_http(self, urls: Sequence[str], *, verified_now: bool) -> None:
        self._await(lambda: self._application.deliver_over_http(urls, verified_now=verified_now))


def _several(urls: str | Sequence[str]) -> tuple[str, ...]:
    return (urls,) if isinstance(urls, str) else tuple(urls)


def _concerns(event: Payload, ts: str) -> bool:
    changed = event.get("message", {}).get("ts")
    return ts in (
        event.get("ts"),
        event.get("deleted_ts"),
        changed,
        event.get("item", {}).get("ts"),
    )
