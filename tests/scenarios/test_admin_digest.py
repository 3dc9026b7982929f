"""The digest of unanswered questions, and forgetting."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bot.domain.settings import Settings
from bot.records.database import Database
from bot.records.statistics import Statistics
from bot.workspace import Workspace
from indexer.index import Index
from tests.scenarios.conftest import (
    ALICE,
    BOB,
    HELP,
    LEADERS,
    ask,
    connected,
    lorebot,
    private_notes,
    shown,
)

PUBLIC = "What is the melting point of tungsten?"
PRIVATE = "What is the boiling point of molybdenum?"
DIRECT = "What is the density of osmium?"
GENERAL = "C0GENERAL"


@pytest.fixture
def digesting_bot(settings: Settings, workspace: Workspace, handbook: Index) -> Iterator[None]:
    slack = settings.slack.model_copy(update={"digest_channel": GENERAL})
    with connected(settings.model_copy(update={"slack": slack}), handbook, workspace):
        yield


@pytest.mark.usefixtures("digesting_bot")
def test_only_what_everybody_could_read_is_quoted(workspace: Workspace) -> None:
    ts = ask(workspace, PUBLIC, person=BOB)["thread_ts"]
    ask(workspace, PRIVATE, channel=LEADERS)
    ask(workspace, DIRECT, channel="D0BOB", person=BOB)
    on_demand = shown(lorebot(workspace, "digest"))
    assert "tungsten" in on_demand
    assert f"<{workspace.url}archives/{HELP}/p{ts.replace('.', '')}|" in on_demand
    assert "molybdenum" not in on_demand
    assert "osmium" not in on_demand
    assert "And 2 more" in on_demand

    assert f"<#{GENERAL}>" in lorebot(workspace, "digest post")["text"]
    (posted,) = [one for one in workspace.messages(GENERAL) if one.get("bot_id")]
    assert "tungsten" in shown(posted)
    assert "osmium" not in shown(posted)


@pytest.mark.usefixtures("bot")
def test_without_a_channel_the_digest_says_what_to_set(workspace: Workspace) -> None:
    assert "digest_channel" in lorebot(workspace, "digest post")["text"]
    assert "every question found its answer" in shown(lorebot(workspace, "digest"))


@pytest.mark.usefixtures("bot")
def test_a_person_is_forgotten_after_a_confirmation(
    workspace: Workspace, settings: Settings
) -> None:
    ask(workspace, PUBLIC, person=BOB)
    ask(workspace, PRIVATE, person=ALICE)
    note = lorebot(workspace, f"forget person <@{BOB}|bob>")
    assert asked(settings, BOB) == 1
    workspace.click(ALICE, HELP, note["ts"], "forget_person")
    workspace.wait_for(lambda: asked(settings, BOB) == 0)
    assert asked(settings, ALICE) == 1
    workspace.wait_for(lambda: "Forgotten: 1 question" in notes(workspace))


@pytest.mark.usefixtures("bot")
def test_answers_that_rest_on_a_document_are_deleted(
    workspace: Workspace, settings: Settings, handbook: Index
) -> None:
    ask(workspace, "How much may I spend on meals per day when I travel?")
    (document,) = [one for one in handbook.store.documents() if one.endswith("expenses.md")]
    note = lorebot(workspace, f"forget document {document}")
    workspace.click(ALICE, HELP, note["ts"], "forget_document")
    workspace.wait_for(lambda: "deleted; no model learns" in notes(workspace))
    workspace.wait_for(lambda: asked(settings, ALICE) == 0)
    assert "next reindex takes it away" in notes(workspace)


def notes(workspace: Workspace) -> str:
    return " ".join(shown(one) for one in private_notes(workspace, ALICE))


def asked(settings: Settings, person: str) -> int:
    """How many answered questions of somebody are kept."""
    with closing(Database(settings.records_url)) as database:
        return len(Statistics(database).of_person(person))
