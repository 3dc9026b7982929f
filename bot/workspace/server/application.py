"""Puts the parts of the local Slack together: its workspaces, and the app they install."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from bot.workspace.delivery import response_urls, socket_mode
from bot.workspace.delivery.deliveries import Deliveries
from bot.workspace.delivery.http_mode import HttpMode
from bot.workspace.delivery.socket_mode import SocketMode
from bot.workspace.errors import Refused, WorkspaceError
from bot.workspace.page import consent, documents
from bot.workspace.page.consent import Consent
from bot.workspace.page.documents import Documents
from bot.workspace.page.routes import PAGE, PageRoutes, index, only_from_here, permalink
from bot.workspace.server.team import Team
from bot.workspace.state.changes import Uninstalled
from bot.workspace.state.files import FILE_LIMIT
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.api import AppMethods, WebApi
from bot.workspace.web_api.faults import Faults
from bot.workspace.web_api.file_routes import FileRoutes
from bot.workspace.web_api.limits import RateLimits
from bot.workspace.web_api.manifest import AppManifest
from bot.workspace.web_api.oauth import Client, OAuth
from bot.workspace.web_api.tokens import Tokens


@dataclass(frozen=True, slots=True)
class App:
    """What the developer of the app was given or has set in its settings."""

    bot_token: str
    app_token: str
    signing_secret: str
    client: Client
    manifest: AppManifest
    redelivery_delays: Sequence[float]
    token_lifetime: float | None
    stream_lifetime: float


class Application:
    """The parts, wired; lives in one event loop. The first workspace has the app already."""

    def __init__(
        self,
        states: Sequence[WorkspaceState],
        app: App,
        faults: Faults,
        limits: RateLimits,
        *,
        installed: bool,
        folder: Path | None,
    ) -> None:
        first = states[0]
        self._app = app
        self._states = {state.team_id: state for state in states}
        self.tokens = Tokens(first.clock, app.token_lifetime)
        if installed:
            self.tokens.add(app.bot_token, first.team_id, app.manifest.scopes)
        self.socket_mode = SocketMode(
            first, app.redelivery_delays, on_change=self._bot_came_or_went
        )
        self.deliveries = Deliveries(self.socket_mode)
        self.teams = {state.team_id: self._team(state) for state in states}
        self.oauth = OAuth(app.client, self.tokens, self._states, first.clock, self._removed)
        self.web_api = WebApi(
            self.teams,
            AppMethods(
                {"oauth.v2.access": self.oauth.access, "oauth.v2.exchange": self.oauth.exchange},
                self.socket_mode.table(),
                {"auth.revoke": self.oauth.revoke, "apps.uninstall": self.oauth.uninstall},
            ),
            tokens=self.tokens,
            app_token=app.app_token,
            faults=faults,
            limits=limits,
            clock=first.clock,
        )
        self._documents = Documents(folder) if folder else None

    def site(self) -> web.Application:
        site = web.Application(middlewares=[only_from_here], client_max_size=FILE_LIMIT + 2**20)
        asking = Consent(self.oauth, self._states)
        pages = PageRoutes(self.team_of)
        files = FileRoutes(self._states, self.tokens, lambda user: self.team_of(user).state)
        site.add_routes(
            [
                web.get("/", index),
                web.get("/archives/{channel}/p{microseconds:\\d{7,}}", permalink),
                web.static("/page", PAGE),
                web.get("/page-api/feed", pages.feed),
                web.post("/page-api/{action}", pages.act),
                web.route("*", "/api/{method}", self.web_api.handle),
                web.get(socket_mode.PATH, self.socket_mode.handle),
                web.post(response_urls.PATH + "/{team}/{key}", self._respond),
                web.get(consent.AUTHORIZE, asking.ask),
                web.post(consent.DECIDE, asking.decide),
                *files.routes(),
            ]
        )
        if self._documents:
            site.router.add_get(f"{documents.PATH}/{{path:.+}}", self._documents.handle)
        site.on_response_prepare.append(_always_ask_again)
        site.on_shutdown.append(self._close)
        return site

    def team_of(self, user_id: str) -> Team:
        """The workspace a person belongs to."""
        for team in self.teams.values():
            if any(person.id == user_id for person in team.state.people):
                return team
        raise Refused("user_not_found")

    async def deliver_over_http(self, urls: Sequence[str], *, verified_now: bool) -> None:
        """Turns to request URLs; the challenge is answered now, or as soon as a bot is there.

        Where it must be answered now and is not, everything stays as it was.
        """
        first = next(iter(self._states.values()))
        carrier = HttpMode(
            urls,
            signing_secret=self._app.signing_secret,
            redelivery_delays=self._app.redelivery_delays,
            clock=first.clock,
            bot_name=first.bot.display_name,
            on_change=self._bot_came_or_went,
        )
        if verified_now:
            try:
                await carrier.verify()
            except WorkspaceError:
                await carrier.close()
                raise
        else:
            carrier.verify_when_there()
        await self.deliveries.switch(carrier)
        self._bot_came_or_went()

    async def deliver_over_sockets(self) -> None:
        await self.deliveries.switch(self.socket_mode)

    def _team(self, state: WorkspaceState) -> Team:
        return Team(
            state,
            self.deliveries,
            self._app.manifest,
            stream_lifetime=self._app.stream_lifetime,
            is_installed=lambda: self.tokens.is_installed(state.team_id),
            everybody=self._everybody,
        )

    def _everybody(self) -> list[Payload]:
        """Every workspace and its people, for the page's switcher."""
        return [
            {
                "id": state.team_id,
                "name": state.team_name,
                "people": [
                    {"id": person.id, "name": person.display_name, "title": person.title}
                    for person in state.people
                    if not person.is_bot
                ],
            }
            for state in self._states.values()
        ]

    def _removed(self, team_id: str, token_only: bool) -> None:
        self.teams[team_id].send(Uninstalled(token_only))

    def _bot_came_or_went(self) -> None:
        for team in self.teams.values():
            team.feed.set_bot_connected(self.deliveries.is_connected)

    async def _respond(self, request: web.Request) -> web.Response:
        team = self.teams.get(request.match_info["team"])
        if team is None:
            raise web.HTTPNotFound
        return await team.response_urls.handle(request)

    async def _close(self, application: web.Application) -> None:
        for team in self.teams.values():
            await team.feed.close()
        await self.deliveries.close()
        await self.socket_mode.close()


async def _always_ask_again(request: web.Request, response: web.StreamResponse) -> None:
    # Without this a browser may show the page of the version before an upgrade.
    response.headers.setdefault("Cache-Control", "no-cache")
