"""What this process counts, as it is scraped, and what can become a label."""

import re

import pytest

from bot.telemetry import counters as counted
from bot.telemetry.counters import word
from bot.telemetry.monitor import Metrics


def test_what_is_scraped_is_what_is_counted_and_nothing_of_the_library() -> None:
    counted.VOTES.labels("up").inc()
    found = dict(re.findall(r"^# TYPE (\w+) (\w+)$", Metrics().text(), re.MULTILINE))
    assert found == {
        "lorebot_questions_total": "counter",
        "lorebot_answers_total": "counter",
        "lorebot_votes_total": "counter",
        "lorebot_stage_seconds": "histogram",
        "lorebot_answer_seconds": "histogram",
        "lorebot_first_sign_seconds": "histogram",
        "lorebot_model_failures_total": "counter",
        "lorebot_slack_calls_total": "counter",
        "lorebot_slack_errors_total": "counter",
        "lorebot_slack_retries_total": "counter",
    }


def test_seconds_are_counted_from_a_hundredth_to_five_minutes() -> None:
    for seconds in (0.01, 0.3, 0.31, 1000.0):
        counted.STAGES.labels("nap").observe(seconds)
    counts = re.findall(
        r'^lorebot_stage_seconds_bucket\{le="(.+)",stage="nap"\} (.+)$',
        Metrics().text(),
        re.MULTILINE,
    )
    assert {limit: float(count) for limit, count in counts} == {
        **{"0.01": 1, "0.03": 1, "0.1": 1, "0.3": 2, "1.0": 3, "3.0": 3},
        **{"10.0": 3, "30.0": 3, "100.0": 3, "300.0": 3, "+Inf": 4},
    }


def test_only_single_words_become_labels() -> None:
    assert word("channel_not_found") == "channel_not_found"
    assert word("chat.postMessage") == "chat.postMessage"
    assert word("What is Project Bittern?") == "other"
    assert word("x" * 65) == "other"


def test_only_so_many_words_become_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "_words", set())
    found = [word(f"reason_{number}") for number in range(counted.WORDS + 50)]
    assert len(set(found)) == counted.WORDS + 1
    assert found.count("other") == 50
    assert word("reason_0") == "reason_0"
