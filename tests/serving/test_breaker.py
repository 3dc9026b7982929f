"""The breaker opens after failures in a row and lets one call try, by a clock of the test's."""

from __future__ import annotations

import pytest

from bot.domain.errors import ModelUnreachable, PromptTooLong
from bot.serving.breaker import CircuitBreaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures=2, seconds=30, clock=clock)


def fail(breaker: CircuitBreaker, error: Exception | None = None) -> None:
    error = error or ModelUnreachable("It is down.")
    with pytest.raises(type(error)), breaker.call():
        raise error


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.call():
        pass


def refused(breaker: CircuitBreaker) -> str:
    with pytest.raises(ModelUnreachable) as refusal, breaker.call():
        pytest.fail("the call was let through")
    return str(refusal.value)


def test_open_breaker_refuses_at_once_and_says_why_and_how_long(breaker: CircuitBreaker) -> None:
    fail(breaker)
    fail(breaker)
    assert refused(breaker) == (
        "The model's server failed 2 times in a row and is tried again in 30 seconds. "
        "Last: It is down."
    )


def test_success_between_failures_keeps_it_closed(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        fail(breaker)
        succeed(breaker)


def test_one_call_tries_when_the_time_is_over_and_closes_it(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker)
    fail(breaker)
    clock.now += 30
    with breaker.call():
        assert "right now" in refused(breaker)
    fail(breaker)
    succeed(breaker)


def test_failed_trial_opens_it_as_long_again(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    fail(breaker)
    clock.now += 31
    fail(breaker)
    clock.now += 29
    assert "3 times in a row and is tried again in 1 seconds" in refused(breaker)
    clock.now += 1
    succeed(breaker)


def test_other_errors_say_nothing_about_the_server(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(3):
        fail(breaker, PromptTooLong("Too long."))
    fail(breaker)
    fail(breaker)
    clock.now += 30
    fail(breaker, PromptTooLong("Too long."))
    succeed(breaker)
