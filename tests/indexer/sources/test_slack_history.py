"""Slack's history becomes documents: read over HTTP from the real local workspace."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.workspace import Workspace
from indexer.documents import Audience, Document
from indexer.errors import SourceError
from indexer.settings import SlackSource
from indexer.sources.slack_history import SlackHistory

ALICE, BOB = "U0ALICE", "U0BOB"
BOT = "U0LOREBOT"
HELP, LEADERS = "C0HELP", "C0LEADS"
MONDAY = datetime(2025, 3, 3, 9, 0, tzinfo=UTC).timestamp()
A_DAY = 24 * 60 * 60


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        at(workspace, MONDAY)
        yield workspace


def at(workspace: Workspace, seconds: float) -> None:
    workspace.state.clock = lambda: seconds


def history(
    workspace: Workspace,
    *,
    channels: tuple[str, ...] = (HELP,),
    reread_days: int | None = None,
    cache_path: Path | None = None,
    now: float = MONDAY + 365 * A_DAY,
) -> SlackHistory:
    table = SlackSource(
        name="chat",
        token=SecretStr(workspace.bot_token),
        api_url=workspace.api_url,
        channels=channels,
        reread_days=reread_days,
    )
    return SlackHistory(table, cache_path=cache_path, clock=lambda: now)


def read(source: SlackHistory) -> dict[str, Document]:
    return {one.id: one for one in source.read() if isinstance(one, Document)}


def calls(workspace: Workspace) -> Counter[str]:
    return Counter(call.method for call in workspace.calls)


def test_a_thread_is_a_document_with_speakers_and_dates(workspace: Workspace) -> None:
    root = workspace.post(ALICE, HELP, "*Where* is the <https://x.org|form>?\nI need it &amp; soon")
    at(workspace, MONDAY + A_DAY)
    workspace.post(BOB, HELP, f"<@{ALICE}> in <#C0GENERAL|general>", root)
    (found,) = read(history(workspace)).values()
    assert found.id == f"chat:{HELP}/{root}"
    assert found.title == "#help: Where is the form?"
    assert found.text == (
        "Alice (2025-03-03 09:00): *Where* is the [form](https://x.org)?\nI need it & soon\n\n"
        "Bob (2025-03-04 09:00): @Alice in #general"
    )
    assert found.audience == Audience.of(f"slack_channel:{HELP}")
    assert found.url == f"{workspace.url}?channel={HELP}&thread={root}"
    assert found.modified == datetime(2025, 3, 4, 9, 0, tzinfo=UTC)


def test_single_messages_are_a_document_a_day(workspace: Workspace) -> None:
    first = workspace.post(ALICE, HELP, "One")
    workspace.post(BOB, HELP, "Two")
    at(workspace, MONDAY + A_DAY)
    workspace.post(BOB, HELP, "Three")
    monday, tuesday = read(history(workspace)).values()
    assert (monday.id, monday.title) == (f"chat:{HELP}/2025-03-03", "#help on 2025-03-03")
    assert monday.text == "Alice (2025-03-03 09:00): One\n\nBob (2025-03-03 09:00): Two"
    assert monday.url.endswith(f"thread={first}")
    assert tuesday.text == "Bob (2025-03-04 09:00): Three"


def test_every_channel_of_the_bot_has_its_own_readers_and_direct_messages_none(
    workspace: Workspace,
) -> None:
    workspace.post(ALICE, HELP, "For all")
    workspace.post(ALICE, LEADERS, "For leaders")
    workspace.post(ALICE, "D0ALICE", "For the bot")
    found = read(history(workspace, channels=()))
    assert {one.text.partition(": ")[2]: one.audience.sorted() for one in found.values()} == {
        "For all": (f"slack_channel:{HELP}",),
        "For leaders": (f"slack_channel:{LEADERS}",),
    }


def test_the_bot_and_questions_only_it_answered_are_no_knowledge(workspace: Workspace) -> None:
    workspace.post(ALICE, HELP, f"<@{BOT}> unanswered?")
    alone = workspace.post(ALICE, HELP, f"<@{BOT}> where is the form?")
    workspace.post(BOT, HELP, "I could not find this.", alone)
    workspace.post(ALICE, HELP, "Pity.", alone)
    helped = workspace.post(ALICE, HELP, f"<@{BOT}> where is the key?")
    workspace.post(BOT, HELP, "I could not find this.", helped)
    workspace.post(BOB, HELP, "Under the mat.", helped)
    workspace.post(BOT, HELP, "Good morning.")
    (found,) = read(history(workspace)).values()
    assert found.id == f"chat:{HELP}/{helped}"
    assert [part.partition(": ")[2] for part in found.text.split("\n\n")] == [
        "@Lorebot where is the key?",
        "Under the mat.",
    ]


def test_history_and_threads_are_read_to_their_ends(workspace: Workspace) -> None:
    root = workspace.post(ALICE, HELP, "Count!")
    for number in range(250):
        workspace.post(BOB, HELP, f"reply {number}", root)
        workspace.post(BOB, HELP, f"message {number}")
    day, thread = sorted(read(history(workspace)).values(), key=lambda one: "-" not in one.id)
    assert re.findall(r"reply (\d+)", thread.text) == [str(number) for number in range(250)]
    assert re.findall(r"message (\d+)", day.text) == [str(number) for number in range(250)]
    assert calls(workspace)["conversations.history"] == 2
    assert calls(workspace)["conversations.replies"] == 2
    assert calls(workspace)["users.info"] == 2


def test_edits_deletions_and_late_replies_follow(workspace: Workspace) -> None:
    root = workspace.post(ALICE, HELP, "Where?")
    reply = workspace.post(BOB, HELP, "Hre.", root)
    gone = workspace.post(BOB, HELP, "Nonsense")
    before = read(history(workspace))
    assert len(before) == 2
    workspace.edit(BOB, HELP, reply, "Here.")
    workspace.delete(BOB, HELP, gone)
    at(workspace, MONDAY + 100 * A_DAY)
    workspace.post(ALICE, HELP, "Found it.", root)
    (after,) = read(history(workspace)).values()
    assert after.id in before
    assert [part.partition(": ")[2] for part in after.text.split("\n\n")] == [
        "Where?",
        "Here.",
        "Found it.",
    ]


def test_old_threads_that_look_unchanged_are_not_asked_for_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = workspace.post(ALICE, HELP, "Where?")
    workspace.post(BOB, HELP, "Here.", root)
    source = history(workspace, reread_days=30, cache_path=tmp_path / "chat.sqlite")
    first = read(source)
    assert read(source) == first
    assert calls(workspace)["conversations.replies"] == 1
    assert calls(workspace)["chat.getPermalink"] == 1
    workspace.post(ALICE, HELP, "Thanks.", root)
    (late,) = read(source).values()
    assert late.text.endswith("Thanks.")
    assert calls(workspace)["conversations.replies"] == 2


def test_young_threads_are_always_asked_for_again(workspace: Workspace, tmp_path: Path) -> None:
    root = workspace.post(ALICE, HELP, "Where?")
    reply = workspace.post(BOB, HELP, "Hre.", root)
    cache_path = tmp_path / "chat.sqlite"
    source = history(workspace, reread_days=30, cache_path=cache_path, now=MONDAY + 29 * A_DAY)
    read(source)
    workspace.edit(BOB, HELP, reply, "Here.")
    (found,) = read(source).values()
    assert found.text.endswith("Here.")


def test_deleted_messages_leave_the_memory(workspace: Workspace, tmp_path: Path) -> None:
    root = workspace.post(ALICE, HELP, "Where?")
    reply = workspace.post(BOB, HELP, "A private sentence", root)
    workspace.post(ALICE, HELP, "Stay")
    cache_path = tmp_path / "chat.sqlite"
    source = history(workspace, reread_days=30, cache_path=cache_path)
    read(source)
    workspace.delete(BOB, HELP, reply)
    workspace.delete(ALICE, HELP, root)
    read(source)
    assert b"private sentence" not in cache_path.read_bytes()


def test_a_rate_limit_is_waited_for(workspace: Workspace) -> None:
    workspace.post(ALICE, HELP, "Text")
    workspace.faults.add("conversations.history", status=429, headers={"Retry-After": "1"})
    assert len(read(history(workspace))) == 1
    assert calls(workspace)["conversations.history"] == 2


@pytest.mark.parametrize(
    ("method", "error", "sentence"),
    [
        ("users.conversations", "missing_scope", "add the scope"),
        ("conversations.history", "not_in_channel", f"channel {HELP} .*; invite the bot"),
        ("conversations.replies", "internal_error", "try again later"),
        ("auth.test", "token_revoked", "xoxb-"),
    ],
)
def test_what_slack_refuses_stops_the_source(
    workspace: Workspace, method: str, error: str, sentence: str
) -> None:
    """Otherwise everything that was not read would be deleted."""
    root = workspace.post(ALICE, HELP, "Text")
    workspace.post(ALICE, HELP, "Reply", root)
    workspace.faults.add(method, error=error)
    with pytest.raises(SourceError, match=sentence):
        read(history(workspace))


def test_a_channel_without_the_bot_stops_the_source(workspace: Workspace) -> None:
    with pytest.raises(SourceError, match="no member of C0ELSE; invite it"):
        read(history(workspace, channels=(HELP, "C0ELSE")))


def test_without_token_or_server_the_source_says_so() -> None:
    table = SlackSource(name="chat", token=SecretStr(""))
    with pytest.raises(SourceError, match="set LOREBOT_SLACK_BOT_TOKEN"):
        read(SlackHistory(table))
    nowhere = SlackSource(name="chat", token=SecretStr("x"), api_url="http://127.0.0.1:9/api/")
    with pytest.raises(SourceError, match="cannot be reached"):
        read(SlackHistory(nowhere))
