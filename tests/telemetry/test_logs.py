"""Log lines: their form, and what is left out of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import RecordsError
from bot.domain.settings import ModelTable, Settings, SlackTable
from bot.telemetry.logs import Format, Level, configure, secrets_of
from bot.telemetry.spans import answering, trace_id_of

Configure = Callable[..., io.StringIO]
TOKEN = "xoxb-1234-abcdef"


@pytest.fixture
def configured() -> Iterator[Configure]:
    """Configures logging to a text, and puts everything back afterwards."""
    loggers = [logging.getLogger(name) for name in ("", "bot", "indexer", "adapters", "dbos")]
    before = [(one, one.level, one.handlers[:], one.propagate) for one in loggers]
    for one in loggers:
        one.handlers = []

    def set_up(format: Format = "json", level: Level = "debug", **options: Any) -> io.StringIO:
        stream = io.StringIO()
        configure(format, level, stream=stream, **options)
        return stream

    yield set_up
    for one, level, handlers, propagate in before:
        one.level, one.handlers, one.propagate = level, handlers, propagate
        logging.getLogger().manager._clear_cache()  # type: ignore[attr-defined]


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_says_when_where_what_and_for_which_question(configured: Configure) -> None:
    stream = configured(replica="one")
    with answering("C1:1.5"):
        logging.getLogger("bot.slack").warning("Slack would not %s.", "post")
    logging.getLogger("indexer").info("Done.")
    asked, other = lines(stream)
    assert asked.pop("time").endswith("+00:00")
    assert asked == {
        "level": "warning",
        "logger": "bot.slack",
        "message": "Slack would not post.",
        "replica": "one",
        "question": "C1:1.5",
        "trace": trace_id_of("C1:1.5"),
    }
    assert "question" not in other


def test_a_text_line_names_the_question_too(configured: Configure) -> None:
    stream = configured("text")
    with answering("C1:1.5"):
        logging.getLogger("bot.slack").warning("Away.")
    trace = trace_id_of("C1:1.5")
    assert stream.getvalue().endswith(f" WARNING bot.slack [C1:1.5 {trace}]: Away.\n")


def test_our_level_is_ours_alone(configured: Configure) -> None:
    stream = configured(level="debug")
    logging.getLogger("httpx").info("HTTP Request: POST https://hooks.slack.com/commands/secret")
    logging.getLogger("bot.jobs.durable").debug("Looking.")
    assert [line["logger"] for line in lines(stream)] == ["bot.jobs.durable"]
    stream = configured(level="error")
    logging.getLogger("bot.jobs.durable").warning("Away.")
    assert lines(stream) == []


def test_of_slacks_libraries_only_the_place_is_told(configured: Configure) -> None:
    stream = configured()
    logging.getLogger("slack_bolt.App").warning("Unhandled request ({'text': 'Project Bittern'})")
    logging.getLogger("slack_sdk.web").error("Failed to decode: Project Bittern")
    assert len(lines(stream)) == 2
    assert "Bittern" not in stream.getvalue()
    assert "test_logs" in lines(stream)[0]["message"]


def test_of_other_libraries_one_line_is_told(configured: Configure) -> None:
    stream = configured()
    logging.getLogger("alembic").warning("A revision is missing.\nDETAIL: Project Bittern")
    (line,) = lines(stream)
    assert line["message"] == "A revision is missing."


def test_dbos_writes_lines_of_the_same_form(configured: Configure) -> None:
    stream = configured()
    logging.getLogger("dbos").warning("Retrying.")
    (line,) = lines(stream)
    assert (line["logger"], line["message"]) == ("dbos", "Retrying.")


def test_tokens_and_the_settings_secrets_are_hidden(configured: Configure) -> None:
    stream = configured(secrets=["hush-hush", "s"])
    logging.getLogger("bot").warning(
        "%s and xoxe.xoxb-1-refresh, xapp-1-A, Bearer abc.def, postgresql://lorebot:pw1@db/x, "
        "https://hooks.slack.com/commands/T1/2 and hush-hush",
        TOKEN,
    )
    (line,) = lines(stream)
    assert line["message"] == "*** and ***, ***, *** postgresql://***@db/x, *** and ***"


def test_secrets_are_found_wherever_settings_hold_them() -> None:
    settings = Settings(
        slack=SlackTable(bot_token=SecretStr(TOKEN), token_keys=SecretStr("key1,key2")),
        model=ModelTable(api_key=SecretStr("api")),
    )
    assert set(secrets_of(settings)) >= {TOKEN, "key1", "key2", "api"}
    assert list(secrets_of({"list": [SecretStr("a")], "tuple": (SecretStr("b"), 1)})) == ["a", "b"]


def test_an_error_of_others_is_told_by_type_and_place(configured: Configure) -> None:
    stream = configured()
    with create_engine("sqlite://").connect() as connection:
        try:
            connection.execute(text("INSERT INTO nowhere VALUES (:it)"), {"it": "Project Bittern"})
        except SQLAlchemyError:
            logging.getLogger("bot.jobs.durable").exception("It failed.")
    (line,) = lines(stream)
    assert "OperationalError" in line["error"]
    assert any(place.startswith("at test_logs.py:") for place in line["error"])
    assert "Bittern" not in stream.getvalue()


def test_an_error_of_ours_is_told_with_its_sentence_and_its_cause(configured: Configure) -> None:
    stream = configured("text")
    try:
        try:
            raise OSError(28, "No space left on device", "/private/Bittern.md")
        except OSError as cause:
            raise RecordsError("The disk is full.") from cause
    except RecordsError:
        logging.getLogger("bot.jobs.durable").exception("It failed.")
    told = [line.strip() for line in stream.getvalue().splitlines()]
    assert told[1] == "OSError: No space left on device"
    assert "RecordsError: The disk is full." in told
    assert "Bittern" not in stream.getvalue()
