"""Rate limits by tier, and failures on demand."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.workspace import ANSWER_LOST, CUT, RATE_LIMITED, Workspace
from bot.workspace.web_api.faults import Faults
from bot.workspace.web_api.limits import RateLimits


def limits(now: list[float], speed: float = 1.0) -> RateLimits:
    made = RateLimits(lambda: now[0])
    made.start(speed)
    return made


def taken(made: RateLimits, method: str, times: int, channel: str = "C1") -> list[int]:
    return [made.take(method, "T1", channel) for _ in range(times)]


def test_limits_are_off_until_they_are_started() -> None:
    assert set(taken(RateLimits(lambda: 0.0), "chat.update", 500)) == {0}


@pytest.mark.parametrize(
    ("method", "a_minute"),
    [("chat.startStream", 20), ("chat.update", 50), ("chat.appendStream", 100)],
)
def test_a_tier_allows_its_calls_a_minute(method: str, a_minute: int) -> None:
    now = [0.0]
    made = limits(now)
    assert set(taken(made, method, a_minute)) == {0}
    assert made.take(method, "T1") >= 1
    assert made.take(method, "T2") == 0  # another workspace has its own allowance
    now[0] += 60
    assert set(taken(made, method, a_minute)) == {0}


def test_posting_is_one_a_second_a_channel_with_a_short_burst() -> None:
    now = [0.0]
    made = limits(now)
    waits = taken(made, "chat.postMessage", 7)
    assert waits[:5] == [0] * 5
    assert waits[5:] == [1, 1]
    assert made.take("chat.postMessage", "T1", "C2") == 0
    now[0] += 1
    assert taken(made, "chat.postMessage", 2) == [0, 1]


def test_speed_brings_the_allowance_back_sooner() -> None:
    now = [0.0]
    made = limits(now, speed=60)
    taken(made, "chat.startStream", 20)
    assert made.take("chat.startStream", "T1") == 1
    now[0] += 1
    assert set(taken(made, "chat.startStream", 20)) == {0}


def test_a_methods_limit_can_be_set_as_for_outside_apps() -> None:
    made = limits([0.0])
    made.set("conversations.history", 1)
    assert taken(made, "conversations.history", 2) == [0, 60]


def test_client_waits_as_long_as_it_is_told(workspace: Workspace, client: WebClient) -> None:
    workspace.limits.start()
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
    for number in range(6):
        client.chat_postMessage(channel="C0HELP", text=str(number))
    assert [call.error for call in workspace.calls].count("ratelimited") >= 1
    assert [message["text"] for message in workspace.messages("C0HELP")] == list("012345")
    workspace.limits.stop()


def test_refusal_says_when_to_come_back(workspace: Workspace, client: WebClient) -> None:
    workspace.limits.start()
    for _ in range(20):
        client.users_list()
    with pytest.raises(SlackApiError) as refused:
        client.users_list()
    assert refused.value.response.status_code == 429
    assert int(refused.value.response.headers["Retry-After"]) >= 1


def test_a_share_of_all_calls_fails_in_a_repeatable_way() -> None:
    def drawn() -> list[Any]:
        faults = Faults()
        faults.sometimes(0.1, seed=7)
        return [faults.take("chat.update") for _ in range(1000)]

    assert drawn() == drawn()
    assert 70 < sum(fault is not None for fault in drawn()) < 130


def test_share_of_failures_keeps_to_its_methods_and_ends() -> None:
    faults = Faults()
    faults.sometimes(1.0, [RATE_LIMITED], methods=["chat.update"])
    assert faults.take("chat.postMessage") is None
    assert faults.take("chat.update") == RATE_LIMITED
    faults.clear()
    assert faults.take("chat.update") is None


@pytest.mark.parametrize(("fault", "posted"), [(CUT, 0), (ANSWER_LOST, 1)])
def test_cut_connection_is_an_error_before_or_after_the_deed(
    workspace: Workspace, client: WebClient, fault: Any, posted: int
) -> None:
    client.retry_handlers.clear()
    workspace.faults.sometimes(1.0, [fault])
    with pytest.raises(OSError, match=r"closed|reset|aborted"):
        client.chat_postMessage(channel="C0HELP", text="x")
    assert len(workspace.messages("C0HELP")) == posted
