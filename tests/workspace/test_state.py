"""The workspace in memory."""

from __future__ import annotations

import pytest

from bot.workspace import Refused, WorkspaceState, sample_workspace
from bot.workspace.delivery.events import events_of
from bot.workspace.state.changes import Change, Changed, Changes, Deleted, Posted
from bot.workspace.state.views import Views
from bot.workspace.wire.composing import wire_text


@pytest.fixture
def state() -> WorkspaceState:
    return sample_workspace()


def test_timestamps_are_unique_and_increasing_while_the_clock_stands_still() -> None:
    state = sample_workspace()
    state.clock = lambda: 1_700_000_000.0
    stamps = [state.next_ts() for _ in range(50)]
    assert stamps[0] == "1700000000.000000"
    assert sorted(set(stamps)) == stamps


def test_outsider_cannot_post_to_a_public_channel(state: WorkspaceState) -> None:
    with pytest.raises(Refused) as refusal:
        state.post("C0ENG", "U0CARLA", "hello")
    assert refusal.value.code == "not_in_channel"


def test_private_channel_does_not_exist_for_an_outsider(state: WorkspaceState) -> None:
    with pytest.raises(Refused) as refusal:
        state.post("C0LEADS", "U0BOB", "hello")
    assert refusal.value.code == "channel_not_found"


def test_reply_to_a_reply_is_refused(state: WorkspaceState) -> None:
    root = state.post("C0HELP", "U0ALICE", "root")
    reply = state.post("C0HELP", "U0BOB", "reply", thread_ts=root.ts)
    with pytest.raises(Refused) as refusal:
        state.post("C0HELP", "U0BOB", "too deep", thread_ts=reply.ts)
    assert refusal.value.code == "cannot_reply_to_message"


def test_history_leaves_out_replies_and_ephemeral_messages(state: WorkspaceState) -> None:
    root = state.post("C0HELP", "U0ALICE", "root")
    state.post("C0HELP", "U0BOB", "reply", thread_ts=root.ts)
    whisper = state.post("C0HELP", "U0LOREBOT", "psst", ephemeral_to="U0BOB")
    assert [message.text for message in state.history("C0HELP")] == ["root"]
    assert [message.text for message in state.thread("C0HELP", root.ts)] == ["root", "reply"]
    assert whisper.visible_to("U0BOB")
    assert not whisper.visible_to("U0ALICE")


def test_person_cannot_edit_or_delete_what_another_wrote(state: WorkspaceState) -> None:
    message = state.post("C0HELP", "U0ALICE", "mine")
    with pytest.raises(Refused) as edited:
        state.edit("C0HELP", message.ts, "U0BOB", "yours")
    with pytest.raises(Refused) as deleted:
        state.delete("C0HELP", message.ts, "U0BOB")
    assert (edited.value.code, deleted.value.code) == ("cant_update_message", "cant_delete_message")


def test_reaction_counts_once_a_person_and_goes_when_the_last_one_goes(
    state: WorkspaceState,
) -> None:
    message = state.post("C0HELP", "U0ALICE", "look")
    state.react("C0HELP", message.ts, "U0BOB", "eyes")
    with pytest.raises(Refused) as again:
        state.react("C0HELP", message.ts, "U0BOB", "eyes")
    assert again.value.code == "already_reacted"
    state.unreact("C0HELP", message.ts, "U0BOB", "eyes")
    assert state.message("C0HELP", message.ts).reactions == ()


def test_listeners_hear_of_every_change_in_order(state: WorkspaceState) -> None:
    heard: list[Change] = []
    state.changes.listen(heard.append)
    message = state.post("C0HELP", "U0ALICE", "one")
    state.edit("C0HELP", message.ts, "U0ALICE", "two")
    state.delete("C0HELP", message.ts, "U0ALICE")
    assert [type(change) for change in heard] == [Posted, Changed, Deleted]


def test_mention_in_a_channel_causes_a_message_and_a_mention_event(state: WorkspaceState) -> None:
    message = state.post("C0HELP", "U0ALICE", "<@U0LOREBOT> hi")
    plain, mention = (payload["event"] for payload in events_of(state, Posted(message)))
    assert (plain["type"], plain["channel_type"]) == ("message", "channel")
    assert mention["type"] == "app_mention"
    assert plain["ts"] == mention["ts"] == message.ts


def test_mention_in_a_direct_message_is_only_a_message(state: WorkspaceState) -> None:
    message = state.post("D0BOB", "U0BOB", "<@U0LOREBOT> hi")
    events = [payload["event"] for payload in events_of(state, Posted(message))]
    assert [(event["type"], event["channel_type"]) for event in events] == [("message", "im")]


def test_bot_hears_nothing_of_ephemeral_messages(state: WorkspaceState) -> None:
    whisper = state.post("C0HELP", "U0LOREBOT", "psst", ephemeral_to="U0BOB")
    assert events_of(state, Posted(whisper)) == []


@pytest.mark.parametrize(
    ("typed", "wire"),
    [
        ("@Lorebot what is up?", "<@U0LOREBOT> what is up?"),
        ("ask @lorebot, please", "ask <@U0LOREBOT>, please"),
        ("@Lorebots is nobody", "@Lorebots is nobody"),
        ("see #help", "see <#C0HELP>"),
        ("mail me@alice.example", "mail me@alice.example"),
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("see https://x.example/a#help.", "see <https://x.example/a#help>."),
        ("`@Lorebot` stays", "`@Lorebot` stays"),
        ("@here look", "<!here> look"),
    ],
)
def test_typed_text_becomes_what_slack_would_send(
    state: WorkspaceState, typed: str, wire: str
) -> None:
    assert wire_text(state, typed) == wire


def test_trigger_opens_one_modal_and_expires() -> None:
    now = [1000.0]
    views = Views(Changes(), lambda: now[0])
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Why?"}, "blocks": []}
    trigger = views.issue_trigger("U0BOB")
    views.open(trigger, view)
    with pytest.raises(Refused) as exchanged:
        views.open(trigger, view)
    late = views.issue_trigger("U0BOB")
    now[0] += 3.1
    with pytest.raises(Refused) as expired:
        views.open(late, view)
    codes = (exchanged.value.code, expired.value.code)
    assert codes == ("exchanged_trigger_id", "expired_trigger_id")
