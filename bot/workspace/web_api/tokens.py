"""Tokens: which workspace each one opens, with which scopes, and until when."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.workspace.errors import Refused

ACTIVE_TOKENS = 2
"""Expiring tokens of one workspace that work at a time: the newest ones."""


@dataclass(slots=True, eq=False)
class Grant:
    """What one bot token opens. `expires` is in seconds since the epoch."""

    token: str
    team_id: str
    scopes: tuple[str, ...]
    expires: float | None = None
    refresh_token: str = ""
    revoked: bool = False


class Tokens:
    """Bot tokens by their text. With a `lifetime` in seconds, issued tokens rotate."""

    def __init__(self, clock: Callable[[], float], lifetime: float | None) -> None:
        self._clock = clock
        self.lifetime = lifetime
        self._grants: dict[str, Grant] = {}

    def add(self, token: str, team_id: str, scopes: Sequence[str]) -> None:
        """Makes a token that does not expire, as an app's settings show it."""
        self._grants[token] = Grant(token, team_id, tuple(scopes))

    def issue(self, team_id: str, scopes: Sequence[str]) -> Grant:
        """A new token; an expiring one with the token that refreshes it."""
        if self.lifetime is None:
            grant = Grant(f"xoxb-{secrets.token_hex(16)}", team_id, tuple(scopes))
        else:
            grant = Grant(
                f"xoxe.xoxb-1-{secrets.token_hex(16)}",
                team_id,
                tuple(scopes),
                self._clock() + self.lifetime,
                f"xoxe-1-{secrets.token_hex(16)}",
            )
        self._grants[grant.token] = grant
        self._retire_oldest(team_id)
        return grant

    def grant(self, token: str) -> Grant:
        """What a token opens; raises Refused where it opens nothing (any more)."""
        grant = self._grants.get(token)
        if grant is None:
            raise Refused("invalid_auth")
        if grant.revoked:
            raise Refused("token_revoked")
        if grant.expires is not None and grant.expires <= self._clock():
            raise Refused("token_expired")
        return grant

    def refresh(self, refresh_token: str) -> Grant:
        """A new token for a refresh token, which is used up by that; the old token lives on."""
        for grant in self._grants.values():
            if grant.refresh_token and secrets.compare_digest(grant.refresh_token, refresh_token):
                grant.refresh_token = ""
                return self.issue(grant.team_id, grant.scopes)
        raise Refused("invalid_refresh_token")

    def exchange(self, token: str) -> Grant:
        """An expiring token in place of one that does not expire."""
        if self.lifetime is None:
            raise Refused("token_rotation_not_enabled")
        grant = self.grant(token)
        if grant.expires is not None:
            raise Refused("token_already_exchanged")
        grant.revoked = True
        return self.issue(grant.team_id, grant.scopes)

    def revoke(self, token: str) -> None:
        self._revoke(self.grant(token))

    def revoke_all(self, team_id: str) -> None:
        for grant in self._of(team_id):
            self._revoke(grant)

    def is_installed(self, team_id: str) -> bool:
        """Whether a workspace has the app: some token of it was not revoked."""
        return bool(self._of(team_id))

    def expire_all(self) -> None:
        """Lets every expiring token be over now."""
        for grant in self._grants.values():
            if grant.expires is not None:
                grant.expires = self._clock()

    def _of(self, team_id: str) -> list[Grant]:
        grants = self._grants.values()
        return [grant for grant in grants if grant.team_id == team_id and not grant.revoked]

    def _retire_oldest(self, team_id: str) -> None:
        expiring = [grant for grant in self._of(team_id) if grant.expires is not None]
        for grant in expiring[:-ACTIVE_TOKENS]:
            self._revoke(grant)

    def _revoke(self, grant: Grant) -> None:
        grant.revoked, grant.refresh_token = True, ""
