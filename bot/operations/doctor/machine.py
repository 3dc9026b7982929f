"""The machine: room on its disks, folders that can be written, ports that are free."""

from __future__ import annotations

import errno
import shutil
import tempfile
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from bot.domain.database_address import parsed, password_of
from bot.domain.errors import BotSettingsError
from bot.domain.settings import Settings
from bot.operations.doctor.finding import Finding, well, wrong
from bot.telemetry.web_server import listening_socket
from indexer.settings import settings_file

ROOM_MEGABYTES = 1024
_SECRET_KEYS = {
    *("token", "bot_token", "app_token", "signing_secret", "client_secret", "token_keys"),
    *("api_key", "password"),
}
_SECRET_WORDS = ("token", "key", "secret", "password")
"""Of keys that Lorebot does not know: those of a source's reader."""


def folders(settings: Settings) -> Iterator[Finding]:
    """What is kept and what is cached can be written."""
    for name, folder in (("data_dir", settings.data_dir), ("cache_dir", settings.cache_dir)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder):
                pass
        except OSError as error:
            yield wrong(
                "folders",
                f"{name} {folder} cannot be written ({error.strerror}).",
                f"Give it to the user that runs Lorebot, or set LOREBOT_{name.upper()} to a "
                "folder that can be written.",
            )
        else:
            yield well("folders", f"{name} {folder} can be written.")


def disk(settings: Settings, megabytes: int = ROOM_MEGABYTES) -> Iterator[Finding]:
    """There is room left where the records and the index grow."""
    place = _nearest(settings.data_dir)
    free = shutil.disk_usage(place).free // 2**20
    if free >= megabytes:
        yield well("disk", f"{free:,} MB are free at {place}.")
    else:
        yield wrong(
            "disk",
            f"Only {free:,} MB are free at {place}.",
            f"Make room, at least {megabytes:,} MB: `lorebot model list` names models that can go, "
            f"and {settings.cache_dir} may be deleted while nothing runs.",
        )


def secrets(settings: Settings) -> Iterator[Finding]:
    """Words of lorebot.toml that only the bot should know are readable to no other user."""
    file = settings_file()
    if not file.is_file():
        return
    held = sorted(set(_secrets_in(tomllib.loads(file.read_text(encoding="utf-8")))))
    if held and file.stat().st_mode & 0o077:
        yield wrong(
            "secrets",
            f"{file} holds {', '.join(held)}, and other users of this machine may read it.",
            f"Run `chmod 600 {file}`, or better name files: LOREBOT_SLACK_BOT_TOKEN_FILE=….",
        )
    else:
        yield well("secrets", f"{file} holds no secret that others may read.")


def ports(settings: Settings) -> Iterator[Finding]:
    """Where Slack and the monitor ask is free, or a running Lorebot listens there."""
    monitor = settings.monitor.listen
    wanted = {"[monitor] listen": monitor} if monitor else {}
    if settings.slack.mode == "http":
        wanted["[slack] listen"] = settings.slack.listen
    running = bool(monitor) and _is_lorebot(monitor)
    for name, address in wanted.items():
        try:
            listening_socket(address).close()
        except BotSettingsError as error:
            if running:
                yield well("ports", f"A Lorebot that runs already listens at {address}.")
            else:
                taken = getattr(error.__cause__, "errno", None) == errno.EADDRINUSE
                said = f"Another program listens at {address}." if taken else str(error)
                yield wrong("ports", said, f"Set {name} to HOST:PORT with a port of its own.")
        else:
            yield well("ports", f"{name} {address} is free.")


def _is_lorebot(address: str) -> bool:
    host, _, port = address.rpartition(":")
    host = "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104 - compared, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=3) as answer:
            return bool(answer.read(16) == b"alive\n")
    except (urllib.error.URLError, HTTPException, OSError, ValueError):
        return False


def _nearest(folder: Path) -> Path:
    """The folder itself, or whichever above it is there already."""
    folder = folder.resolve()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _secrets_in(table: Mapping[str, Any]) -> Iterator[str]:
    """Where lorebot.toml gives a secret in plain words."""
    yield from _given(table, _SECRET_KEYS.__contains__)
    records = table.get("records")
    if isinstance(records, Mapping) and _holds_password(records.get("url")):
        yield "[records] url"
    for source in table.get("sources", ()):
        for name in ("arguments", "load"):
            given = source.get(name) if isinstance(source, Mapping) else None
            if isinstance(given, Mapping):
                yield from _given(given, _sounds_secret)


def _given(table: Mapping[str, Any], is_secret: Callable[[str], bool]) -> Iterator[str]:
    """Keys of plain words, in this table and those in it; not of ``{env = "NAME"}``."""
    for key, value in table.items():
        values = value if isinstance(value, list) else [value]
        for inner in values:
            if isinstance(inner, Mapping):
                yield from _given(inner, is_secret)
        if is_secret(key) and any(isinstance(inner, str) and inner for inner in values):
            yield key


def _sounds_secret(key: str) -> bool:
    return any(word in key.lower() for word in _SECRET_WORDS)


def _holds_password(url: object) -> bool:
    try:
        return isinstance(url, str) and bool(password_of(parsed(url)))
    except ValueError:
        return True  # where in it the password is cannot be told
