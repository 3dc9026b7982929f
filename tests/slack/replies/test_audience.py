"""Who may read an answer, asked of a real Web API over HTTP."""

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from bot.domain.values import Asked
from bot.slack.connection.calls import SlackCallFailed
from bot.slack.replies.audience import Audiences, Refused
from bot.workspace import Workspace
from indexer.documents import Audience


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as workspace:
        yield workspace


@pytest.fixture(autouse=True)
def no_faults(workspace: Workspace) -> Iterator[None]:
    yield
    workspace.faults.clear()


@pytest.fixture
def client(workspace: Workspace) -> WebClient:
    return WebClient(token=workspace.bot_token, base_url=workspace.api_url)


def asked(channel: str, asker: str, shared: bool | None = False) -> Asked:
    direct = channel.startswith("D")
    return Asked(f"{channel}:1", "Ev1", channel, "1", asker, "?", direct, shared)


def test_in_a_channel_everybody_there_counts(client: WebClient) -> None:
    readers = Audiences(client).readers(asked("C0HELP", "U0ALICE"))
    assert readers == Audience.of("public", "slack_channel:C0HELP")


def test_in_a_direct_message_the_askers_channels_count(client: WebClient) -> None:
    readers = Audiences(client).readers(asked("D0ALICE", "U0ALICE"))
    assert {"public", "slack_user:U0ALICE", "slack_channel:C0LEADS"} <= readers.principals
    readers = Audiences(client).readers(asked("D0BOB", "U0BOB"))
    assert "slack_channel:C0LEADS" not in readers.principals
    assert "slack_channel:C0ENG" in readers.principals


def test_guests_are_refused(client: WebClient) -> None:
    with pytest.raises(Refused, match="not guests"):
        Audiences(client).readers(asked("C0HELP", "U0CARLA"))


def test_a_channel_shared_with_others_is_refused(client: WebClient) -> None:
    with pytest.raises(Refused, match="another organisation"):
        Audiences(client).readers(asked("C0HELP", "U0ALICE", shared=True))


def test_an_event_that_does_not_tell_makes_slack_tell(
    client: WebClient, workspace: Workspace
) -> None:
    audiences = Audiences(client)
    workspace.faults.add("conversations.info", error="internal_error")
    with pytest.raises(SlackCallFailed):
        audiences.readers(asked("C0HELP", "U0ALICE", shared=None))
    readers = audiences.readers(asked("C0HELP", "U0ALICE", shared=None))
    assert "slack_channel:C0HELP" in readers.principals


def test_where_slack_cannot_say_who_asks_nobody_is_answered(
    client: WebClient, workspace: Workspace
) -> None:
    workspace.faults.add("users.info", error="user_not_found")
    with pytest.raises(SlackCallFailed):
        Audiences(client).readers(asked("C0HELP", "U0ALICE"))


def test_where_slack_cannot_list_channels_less_is_shown_not_more(
    client: WebClient, workspace: Workspace
) -> None:
    workspace.faults.add("users.conversations", error="missing_scope")
    readers = Audiences(client).readers(asked("D0ALICE", "U0ALICE"))
    assert readers == Audience.of("public", "slack_user:U0ALICE")


def test_answers_are_remembered_for_two_minutes_and_no_longer(
    client: WebClient, workspace: Workspace
) -> None:
    now = 0.0
    audiences = Audiences(client, clock=lambda: now)

    def calls_made() -> int:
        before = len(workspace.calls)
        audiences.readers(asked("D0ALICE", "U0ALICE"))
        return len(workspace.calls) - before

    assert calls_made() == 2
    assert calls_made() == 0
    now = 121.0
    assert calls_made() == 2


def test_who_leaves_a_channel_loses_it_within_five_minutes() -> None:
    now = 0.0
    with Workspace() as workspace:
        client = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
        audiences = Audiences(client, clock=lambda: now)
        question = asked("D0ALICE", "U0ALICE")
        assert "slack_channel:C0LEADS" in audiences.readers(question).principals
        workspace.leave("U0ALICE", "C0LEADS")
        now = 299.0
        assert "slack_channel:C0LEADS" not in audiences.readers(question).principals


def test_who_becomes_a_guest_is_refused_within_five_minutes() -> None:
    now = 0.0
    with Workspace() as workspace:
        client = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
        audiences = Audiences(client, clock=lambda: now)
        audiences.readers(asked("C0HELP", "U0BOB"))
        workspace.change_person("U0BOB", is_restricted=True)
        now = 299.0
        with pytest.raises(Refused, match="not guests"):
            audiences.readers(asked("C0HELP", "U0BOB"))


def test_in_a_group_message_everybody_there_counts(client: WebClient) -> None:
    group = Asked("G0TRIO:1", "Ev1", "G0TRIO", "1", "U0ALICE", "?")
    readers = Audiences(client).readers(group)
    assert readers == Audience.of("public", "slack_channel:G0TRIO")
