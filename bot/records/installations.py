"""Keeps the workspaces that installed the app, each token encrypted with a key of the settings.

Not in slack_sdk's SQLAlchemy stores (3.47): a state of theirs served several of eight consumers at
once in 99 of 100 tries on Postgres, states are stored and logged readable and never expire from
the table, every reinstallation and rotation leaves an earlier token behind, and an encrypted
rotating token (312 characters) does not fit into their columns of 200.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete

from bot.domain.errors import BotSettingsError, RecordsError
from bot.records.database import Database
from bot.records.tables import InstallationRow, OAuthStateRow


@dataclass(frozen=True, slots=True)
class Installed:
    """One workspace's installation. ``refresh_token`` is empty where the token never expires."""

    team: str
    app: str
    bot: str
    bot_user: str
    scopes: tuple[str, ...]
    token: str
    refresh_token: str = ""
    expires_at: datetime | None = None
    installed_by: str = ""

    def __repr__(self) -> str:
        return f"Installed(team={self.team!r})"  # tokens stay out of logs


class TokenCipher:
    """Encrypts tokens with the first key and decrypts with any of them, so that keys can rotate.

    The cipher is Fernet (AES-128-CBC with HMAC-SHA256).
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises BotSettingsError unless every key is one of Fernet's."""
        from cryptography.fernet import Fernet, MultiFernet

        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise BotSettingsError(
                "[slack] token_keys are no encryption keys. Make one with `lorebot token-key`, and "
                "keep it: without it every workspace has to install the app again."
            ) from error

    def encrypt(self, token: str) -> str:
        return self._fernet.encrypt(token.encode()).decode() if token else ""

    def decrypt(self, kept: str) -> str:
        """Raises RecordsError where none of the keys fits."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(kept.encode()).decode() if kept else ""
        except InvalidToken:
            raise RecordsError(
                "A workspace's token was encrypted with another key: add the earlier key to "
                "[slack] token_keys, or install the app there again."
            ) from None


def new_token_key() -> str:
    """A fresh key for [slack] token_keys."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


class Installations:
    """One installation per workspace, read with the keys of ``cipher``. Raises RecordsError."""

    def __init__(self, database: Database, cipher: TokenCipher) -> None:
        self._database = database
        self._cipher = cipher

    def save(self, installed: Installed) -> None:
        """Keep an installation in place of the workspace's earlier one."""
        with self._database.session() as session:
            session.merge(
                InstallationRow(
                    team=installed.team,
                    app=installed.app,
                    bot=installed.bot,
                    bot_user=installed.bot_user,
                    scopes=list(installed.scopes),
                    token=self._cipher.encrypt(installed.token),
                    refresh_token=self._cipher.encrypt(installed.refresh_token),
                    expires_at=installed.expires_at,
                    installed_by=installed.installed_by,
                    installed_at=datetime.now(UTC),
                )
            )

    def of(self, team: str) -> Installed | None:
        """A workspace's installation. Raises RecordsError where no key reads its tokens."""
        with self._database.reading() as session:
            row = session.get(InstallationRow, team)
        if row is None:
            return None
        return Installed(
            team=row.team,
            app=row.app,
            bot=row.bot,
            bot_user=row.bot_user,
            scopes=tuple(row.scopes),
            token=self._cipher.decrypt(row.token),
            refresh_token=self._cipher.decrypt(row.refresh_token),
            expires_at=row.expires_at,
            installed_by=row.installed_by,
        )

    def remove(self, team: str) -> None:
        """Forget a workspace and its tokens; one that never installed is fine."""
        with self._database.session() as session:
            session.execute(delete(InstallationRow).where(InstallationRow.team == team))


class OAuthStates:
    """OAuth's ``state`` (RFC 6749, section 10.12): ties the end of an installation to the browser
    that began it. Each is accepted once, within ``seconds``; only its SHA-256 is kept.
    """

    def __init__(self, database: Database, seconds: int = 600) -> None:
        self._database = database
        self._lifetime = timedelta(seconds=seconds)

    def issue(self) -> str:
        state = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        with self._database.session() as session:
            too_old = OAuthStateRow.issued_at < now - self._lifetime
            session.execute(delete(OAuthStateRow).where(too_old))
            session.add(OAuthStateRow(digest=_digest(state), issued_at=now))
        return state

    def consume(self, state: str) -> bool:
        """Whether it was issued lately and not used yet; it is never accepted again.

        One statement, so that of several replicas asked at once only one accepts it.
        """
        with self._database.session() as session:
            issued = session.scalar(
                delete(OAuthStateRow)
                .where(OAuthStateRow.digest == _digest(state))
                .returning(OAuthStateRow.issued_at)
            )
        return issued is not None and datetime.now(UTC) - issued < self._lifetime


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
