"""Installs the app into several workspaces: OAuth v2, and the rotation of their tokens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin

from slack_bolt.error import BoltError
from slack_bolt.oauth.oauth_settings import OAuthSettings
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot, Installation, InstallationStore
from slack_sdk.oauth.state_store import OAuthStateStore
from slack_sdk.oauth.token_rotation import TokenRotator

from bot.domain.errors import SlackError
from bot.domain.settings import SlackTable
from bot.records.installations import Installations, Installed, OAuthStates

REDIRECT_PATH = "/slack/oauth_redirect"
INSTALL_PATH = "/slack/install"

_log = logging.getLogger(__name__)

_ROTATE_BEFORE = timedelta(hours=2)
"""How long before its end a token is refreshed; Slack lets both work for a while."""


class Workspaces(InstallationStore):
    """The installations as slack_sdk's store, and the token of each workspace.

    A workspace that the settings do not name is refused and its new token revoked: its members
    could ask the bot about every public document.
    """

    def __init__(
        self,
        installations: Installations,
        client: WebClient,
        settings: SlackTable,
    ) -> None:
        """``client`` has no token of its own."""
        self._installations = installations
        self._client = client
        self._allowed = settings.workspaces
        self._lock = threading.Lock()
        self._rotator = TokenRotator(
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            client=client,
        )

    @property
    def logger(self) -> logging.Logger:
        return _log

    def token_of(self, team: str) -> str:
        """A token that works, refreshed where its time is nearly over. Raises SlackError."""
        installed = self._fresh(team)
        if installed is None:
            raise SlackError(
                f"The workspace {team} has not installed the app, or has removed it; it can be "
                f"installed at {INSTALL_PATH}."
            )
        return installed.token

    def save(self, installation: Installation) -> None:
        """Raises BoltError for a workspace that is not allowed, which ends on the failure page."""
        team = installation.team_id or installation.enterprise_id or ""
        if team not in self._allowed:
            self._revoke(installation.bot_token or "")
            _log.warning("The workspace %s may not install the app; see [slack] workspaces.", team)
            raise BoltError("This workspace is not among those that may install the app.")
        self._installations.save(
            Installed(
                team=team,
                app=installation.app_id or "",
                bot=installation.bot_id or "",
                bot_user=installation.bot_user_id or "",
                scopes=tuple(_listed(installation.bot_scopes)),
                token=installation.bot_token or "",
                refresh_token=installation.bot_refresh_token or "",
                expires_at=_moment(installation.bot_token_expires_at),
                installed_by=installation.user_id,
            )
        )

    def find_bot(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        is_enterprise_install: bool | None = False,
    ) -> Bot | None:
        """Without the refresh token, because Bolt would rotate by itself and it serves once."""
        installed = self._fresh((enterprise_id if is_enterprise_install else team_id) or "")
        return _bot(installed) if installed else None

    def delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        self._installations.remove(team_id or enterprise_id or "")

    def delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Does nothing: the bot's token belongs to the workspace, not to the installing person."""

    def _fresh(self, team: str) -> Installed | None:
        """The installation with a token that is not about to expire.

        One thread refreshes at a time, because a refresh token serves once; where another replica
        was faster, what it kept is taken. None for a workspace that has not installed the app, or
        that the settings do not name any more.
        """
        if team not in self._allowed:
            return None
        installed = self._installations.of(team)
        if installed is None or not _is_due(installed):
            return installed
        with self._lock:
            installed = self._installations.of(team)
            if installed is None or not _is_due(installed):
                return installed
            return self._rotated(installed)

    def _rotated(self, installed: Installed) -> Installed:
        try:
            bot = self._rotator.perform_bot_token_rotation(
                bot=_refreshable(installed),
                minutes_before_expiration=int(_ROTATE_BEFORE.total_seconds() // 60),
            )
        except SlackTokenRotationError as error:
            kept = self._installations.of(installed.team)
            if kept and kept.token != installed.token:
                return kept
            _log.error("The token of %s could not be refreshed: %s", installed.team, _word(error))
            return installed
        if bot is None:
            return installed
        rotated = replace(
            installed,
            token=bot.bot_token,
            refresh_token=bot.bot_refresh_token or "",
            expires_at=_moment(bot.bot_token_expires_at),
        )
        self._installations.save(rotated)
        return rotated

    def _revoke(self, token: str) -> None:
        with suppress(SlackApiError):
            self._client.auth_revoke(token=token, test=False)


class States(OAuthStateStore):
    """The OAuth states as slack_sdk's store, in the records: any replica may end an installation
    that another began.
    """

    def __init__(self, states: OAuthStates) -> None:
        self._states = states

    @property
    def logger(self) -> logging.Logger:
        return _log

    def issue(self, *_arguments: object, **_options: object) -> str:
        return self._states.issue()

    def consume(self, state: str) -> bool:
        return self._states.consume(state)


def oauth_settings(
    settings: SlackTable, workspaces: Workspaces, states: States, scopes: Sequence[str]
) -> OAuthSettings:
    """What Bolt's OAuth flow needs; scopes are those of the manifest."""
    return OAuthSettings(
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=list(scopes),
        redirect_uri=f"{settings.url.rstrip('/')}{REDIRECT_PATH}",
        install_path=INSTALL_PATH,
        redirect_uri_path=REDIRECT_PATH,
        authorization_url=urljoin(settings.api_url, "../oauth/v2/authorize"),
        installation_store=workspaces,
        installation_store_bot_only=True,
        state_store=states,
    )


def _is_due(installed: Installed) -> bool:
    ends = installed.expires_at
    return ends is not None and ends - datetime.now(UTC) < _ROTATE_BEFORE


def _bot(installed: Installed) -> Bot:
    return Bot(
        app_id=installed.app,
        team_id=installed.team,
        bot_token=installed.token,
        bot_id=installed.bot,
        bot_user_id=installed.bot_user,
        bot_scopes=list(installed.scopes),
        installed_at=0.0,
    )


def _refreshable(installed: Installed) -> Bot:
    bot = _bot(installed)
    bot.bot_refresh_token = installed.refresh_token or None
    ends = installed.expires_at
    bot.bot_token_expires_at = int(ends.timestamp()) if ends else None
    return bot


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _listed(scopes: str | Sequence[str] | None) -> Sequence[str]:
    return scopes.split(",") if isinstance(scopes, str) else (scopes or ())


def _word(error: SlackTokenRotationError) -> str:
    return str(error.api_error.response.get("error", "unknown"))
