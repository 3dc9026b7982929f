"""Log lines, for people or as JSON, that hold no content and no secret.

What is promised of every line, at every level: no text of a question, passage or answer, and no
token. Our own messages are written so. Of other libraries, which cannot be held to it, nothing
below a warning is shown, of a warning one line, and of Slack's libraries only where it was given.
Of an exception that is not ours the type and place are shown, not the sentence: it may quote what
it stumbled over, such as the parameters of an SQL statement.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TextIO

from pydantic import BaseModel, SecretStr

from bot.domain.errors import LorebotError
from bot.telemetry.spans import current_question, trace_id_of
from indexer.errors import IndexerError

if TYPE_CHECKING:
    from bot.domain.settings import Settings

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

_OURS = ("bot", "indexer", "adapters", "__main__")
_QUOTING = ("slack_bolt", "slack_sdk")
_OWN_HANDLERS = ("dbos",)
"""Loggers that would write lines of their own form, unless they have a handler."""
_LONGEST = 300
_SHORTEST_SECRET = 6
_SECRETS = re.compile(
    r"xox[a-z]+(\.xox[a-z]+)?-[\w.-]+|xapp-[\w-]+|Bearer\s+\S+|(?<=://)[^\s/@]+(?=@)"
    r"|https://hooks\.slack\.com/\S+"
)
_HIDDEN = "***"


def configure(
    format: Format,
    level: Level,
    *,
    replica: str = "",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """All logging of this process, from now on, to ``stream``, which is stderr unless given."""
    handler = logging.StreamHandler(stream or sys.stderr)
    writer = _Said(secrets)
    handler.setFormatter(JsonLines(writer, replica) if format == "json" else TextLines(writer))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False


def follow(settings: Settings, level: Level | None = None) -> None:
    """``configure`` as the settings say, but for the level where one is given."""
    configure(
        settings.logs.format,
        level or settings.logs.level,
        replica=settings.records.replica,
        secrets=secrets_of(settings),
    )


def secrets_of(value: object) -> Iterator[str]:
    """Every secret in settings, wherever it stands."""
    match value:
        case SecretStr():
            yield from value.get_secret_value().split(",")  # of several keys, each
        case BaseModel():
            yield from secrets_of(vars(value))  # not dict(), which asks a field named keys
        case Mapping():
            yield from secrets_of(list(value.values()))
        case list() | tuple():
            for each in value:
                yield from secrets_of(each)


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def __init__(self, said: _Said, replica: str) -> None:
        super().__init__()
        self._said = said
        self._replica = replica

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._said.message(record),
        }
        if self._replica:
            line["replica"] = self._replica
        if question := current_question():
            line |= {"question": question, "trace": trace_id_of(question)}
        if error := self._said.error(record):
            line["error"] = error
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """For people; an exception follows in lines of its own."""

    def __init__(self, said: _Said) -> None:
        super().__init__()
        self._said = said

    def format(self, record: logging.LogRecord) -> str:
        question = current_question()
        about = f" [{question} {trace_id_of(question)}]" if question else ""
        head = f"{_time(record):%Y-%m-%d %H:%M:%S} {record.levelname} {record.name}{about}"
        lines = [f"{head}: {self._said.message(record)}", *self._said.error(record)]
        return "\n    ".join(lines)


class _Said:
    """What of a record may be shown."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({one for one in secrets if len(one) >= _SHORTEST_SECRET}, key=len)

    def message(self, record: logging.LogRecord) -> str:
        library = record.name.partition(".")[0]
        if library in _OURS:
            return self._without_secrets(record.getMessage())
        if library in _QUOTING:
            place = f"{record.module}.{record.funcName}, line {record.lineno}"
            return f"{library} says something at {place}, which may quote people and is left out."
        first_line = record.getMessage().strip().partition("\n")[0]
        return self._without_secrets(first_line)[:_LONGEST]

    def error(self, record: logging.LogRecord) -> list[str]:
        """What was raised, the first cause first, and where; nothing where nothing was."""
        raised = record.exc_info[1] if record.exc_info else None
        lines: list[str] = []
        while raised is not None and len(lines) < _LONGEST:
            told = [self._without_secrets(_told(raised)), *_places(raised.__traceback__)]
            lines = told + lines
            raised = raised.__cause__ or (
                None if raised.__suppress_context__ else raised.__context__
            )
        return lines

    def _without_secrets(self, text: str) -> str:
        for secret in reversed(self._secrets):
            text = text.replace(secret, _HIDDEN)
        return _SECRETS.sub(_HIDDEN, text)


def _told(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, (LorebotError, IndexerError)):
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return name


def _places(traceback: TracebackType | None) -> list[str]:
    return [
        f"at {Path(frame.f_code.co_filename).name}:{line} in {frame.f_code.co_name}"
        for frame, line in walk_tb(traceback)
    ]


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
