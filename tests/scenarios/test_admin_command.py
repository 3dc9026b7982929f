"""`/lorebot`: who may, what it knows, and what is written down."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bot.domain.settings import Settings
from bot.records.audit import Act, Audit
from bot.records.database import Database
from bot.workspace import Workspace
from indexer.index import Index
from tests.scenarios.conftest import (
    ALICE,
    BOB,
    GUEST,
    HELP,
    ask,
    connected,
    lorebot,
    shown,
    vote,
)


@pytest.fixture
def trusting_bot(settings: Settings, workspace: Workspace, handbook: Index) -> Iterator[None]:
    slack = settings.slack.model_copy(update={"admins": (BOB, GUEST)})
    with connected(settings.model_copy(update={"slack": slack}), handbook, workspace):
        yield


PARTS = ("slack", "index", "records", "model")


def acts(settings: Settings) -> list[Act]:
    with closing(Database(settings.records_url)) as database:
        return Audit(database).newest()


@pytest.mark.usefixtures("bot")
def test_only_admins_may_and_every_try_is_written_down(
    workspace: Workspace, settings: Settings
) -> None:
    assert "Only admins" in lorebot(workspace, "status of my surgery", BOB)["text"]
    assert "Status" in shown(lorebot(workspace, "status", ALICE))
    assert "<@U0ALICE>" in shown(lorebot(workspace, "audit", ALICE))
    assert [(act.actor, act.action, act.outcome) for act in acts(settings)] == [
        (ALICE, "audit", "done"),
        (ALICE, "status", "done"),
        (BOB, "status", "refused"),
    ]
    assert acts(settings)[-1].subject == ""  # what they typed is nobody's business


@pytest.mark.usefixtures("trusting_bot")
def test_people_named_in_the_settings_are_admins_but_never_guests(workspace: Workspace) -> None:
    assert "Status" in shown(lorebot(workspace, "status", BOB))
    assert "Only admins" in lorebot(workspace, "status", GUEST)["text"]


@pytest.mark.usefixtures("bot")
def test_an_admin_who_is_none_any_more_is_refused_at_once(workspace: Workspace) -> None:
    assert "Status" in shown(lorebot(workspace, "status"))
    workspace.change_person(ALICE, is_admin=False, is_owner=False)
    assert "Only admins" in lorebot(workspace, "status")["text"]


@pytest.mark.usefixtures("bot")
def test_an_unknown_subcommand_is_refused_with_the_list(
    workspace: Workspace, settings: Settings
) -> None:
    text = lorebot(workspace, "explode <!channel> now")["text"]
    assert "There is no `explode`" in text
    for known in ("reindex", "status", "sources", "models", "digest", "forget", "settings"):
        assert f"/lorebot {known}" in text
    assert acts(settings)[0] == Act(ALICE, "unknown", "", "not known", acts(settings)[0].at)


@pytest.mark.usefixtures("bot")
def test_where_slack_cannot_say_who_asks_nobody_is_an_admin(workspace: Workspace) -> None:
    workspace.faults.add("users.info", error="user_not_found", times=1)
    note = lorebot(workspace, "status")
    assert "user_not_found" in note["text"]
    assert "Status" not in shown(note)


@pytest.mark.usefixtures("bot")
def test_status_and_sources_tell_how_the_bot_is(workspace: Workspace) -> None:
    status = shown(lorebot(workspace, "status"))
    assert all(f":large_green_circle: {part}" in status for part in PARTS)
    assert "*handbook*" in status
    assert "just now" in status or "ago" in status
    assert "quoted from the documents" in status
    assert "documents, read" in shown(lorebot(workspace, "sources"))


@pytest.mark.usefixtures("bot")
def test_nothing_an_admin_sees_is_seen_by_others(workspace: Workspace) -> None:
    lorebot(workspace, "status")
    assert all(one.get("ephemeral_to") == ALICE for one in workspace.messages(HELP))


@pytest.mark.usefixtures("bot")
def test_feedback_is_summed_up(workspace: Workspace) -> None:
    answer = ask(workspace, "How much may I spend on meals per day when I travel?")
    assert "No votes" in shown(lorebot(workspace, "feedback"))
    vote(workspace, BOB, answer, "down")

    def counted() -> str:
        text = shown(lorebot(workspace, "feedback"))
        return text if "1 down" in text else ""

    text = workspace.wait_for(counted)
    assert "Expenses" in text
