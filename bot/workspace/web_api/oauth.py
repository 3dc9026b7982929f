"""OAuth v2: how a workspace installs the app, and how its tokens rotate."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bot.workspace.errors import Refused, WorkspaceError
from bot.workspace.state.models import Payload
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.arguments import Arguments
from bot.workspace.web_api.tokens import Grant, Tokens

CODE_LIFETIME = 600.0
"""Seconds within which a code must be redeemed."""


@dataclass(frozen=True, slots=True)
class Client:
    """What identifies the app to OAuth. Without `redirect_urls` any address will do."""

    id: str
    secret: str
    redirect_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What an address of /oauth/v2/authorize asks for."""

    scopes: tuple[str, ...]
    redirect_url: str
    state: str


@dataclass(slots=True)
class _Code:
    team_id: str
    user_id: str
    scopes: tuple[str, ...]
    redirect_url: str
    issued: float
    used: bool = False


class OAuth:
    """Asks people for consent, redeems codes and refresh tokens, and takes installs back.

    `on_removed(team_id, token_only)` is called where a workspace loses its token or the app.
    """

    def __init__(
        self,
        client: Client,
        tokens: Tokens,
        teams: Mapping[str, WorkspaceState],
        clock: Callable[[], float],
        on_removed: Callable[[str, bool], None],
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._teams = teams
        self._clock = clock
        self._on_removed = on_removed
        self._codes: dict[str, _Code] = {}

    # What people see

    def request(self, query: Mapping[str, str]) -> Request:
        """Reads an address of the authorize page; raises WorkspaceError where it is no good."""
        if query.get("client_id") != self._client.id:
            raise WorkspaceError("Invalid client_id parameter.")
        redirect_url = query.get("redirect_uri") or next(iter(self._client.redirect_urls), "")
        if not redirect_url or not self._may_redirect(redirect_url):
            raise WorkspaceError("redirect_uri did not match any configured URIs.")
        scopes = tuple(each for each in query.get("scope", "").split(",") if each)
        if not scopes:
            raise WorkspaceError("No scopes requested.")
        return Request(scopes, redirect_url, query.get("state", ""))

    def allow(self, request: Request, team_id: str, user_id: str) -> str:
        """Installs into a workspace as one of its people; returns where the browser goes."""
        if team_id not in self._teams:
            raise WorkspaceError("There is no such workspace.")
        if self._teams[team_id].person(user_id).is_guest:
            raise WorkspaceError("Guests cannot install apps.")
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(
            team_id, user_id, request.scopes, request.redirect_url, self._clock()
        )
        return _with_query(request.redirect_url, {"code": code, "state": request.state})

    def deny(self, request: Request) -> str:
        return _with_query(request.redirect_url, {"error": "access_denied", "state": request.state})

    def _may_redirect(self, url: str) -> bool:
        """Same host and port as a configured address, and its path or one below it."""
        asked = urlsplit(url)
        for configured in map(urlsplit, self._client.redirect_urls):
            below = f"{asked.path}/".startswith(f"{configured.path.rstrip('/')}/")
            if (asked.scheme, asked.netloc) == (configured.scheme, configured.netloc) and below:
                return True
        return not self._client.redirect_urls

    # Methods

    def access(self, arguments: Arguments) -> Payload:
        """oauth.v2.access: a code or a refresh token for an access token."""
        self._check_client(arguments)
        match arguments.text("grant_type") or "authorization_code":
            case "authorization_code":
                code = self._redeem(arguments)
                grant = self._tokens.issue(code.team_id, code.scopes)
                return self._answer(grant, code.user_id)
            case "refresh_token":
                return self._answer(self._tokens.refresh(arguments.required("refresh_token")))
        raise Refused("invalid_grant_type")

    def exchange(self, arguments: Arguments) -> Payload:
        """oauth.v2.exchange: a token that does not expire for one that does."""
        self._check_client(arguments)
        return self._answer(self._tokens.exchange(arguments.required("access_token")))

    def revoke(self, grant: Grant, arguments: Arguments) -> Payload:
        """auth.revoke of the token it is called with."""
        if arguments.flag("test"):
            return {"revoked": False}
        self._tokens.revoke(grant.token)
        self._on_removed(grant.team_id, True)
        return {"revoked": True}

    def uninstall(self, grant: Grant, arguments: Arguments) -> Payload:
        """apps.uninstall from the workspace whose token it is called with."""
        self._check_client(arguments)
        self.remove(grant.team_id)
        return {}

    def remove(self, team_id: str) -> None:
        """Takes the app out of a workspace; all its tokens are revoked."""
        self._tokens.revoke_all(team_id)
        self._on_removed(team_id, False)

    def _check_client(self, arguments: Arguments) -> None:
        if arguments.required("client_id") != self._client.id:
            raise Refused("invalid_client_id")
        secret = arguments.required("client_secret")
        if not hmac.compare_digest(secret.encode(), self._client.secret.encode()):
            raise Refused("bad_client_secret")

    def _redeem(self, arguments: Arguments) -> _Code:
        code = self._codes.get(arguments.required("code"))
        if code is None or self._clock() - code.issued > CODE_LIFETIME:
            raise Refused("invalid_code")
        if code.used:
            raise Refused("code_already_used")
        given = arguments.text("redirect_uri")
        if given and given != code.redirect_url:
            raise Refused("bad_redirect_uri")
        code.used = True
        return code

    def _answer(self, grant: Grant, user_id: str = "") -> Payload:
        team = self._teams[grant.team_id]
        answer: Payload = {
            "app_id": team.app_id,
            "scope": ",".join(grant.scopes),
            "token_type": "bot",
            "access_token": grant.token,
            "bot_user_id": team.bot.id,
            "team": {"id": team.team_id, "name": team.team_name},
            "enterprise": None,
            "is_enterprise_install": False,
        }
        if user_id:
            answer["authed_user"] = {"id": user_id}
        if grant.expires is not None:
            answer["expires_in"] = int(grant.expires - self._clock())
            answer["refresh_token"] = grant.refresh_token
        return answer


def _with_query(url: str, values: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values)}"
