from bot.slack.connection.rate_limits import TokenBucket


def test_a_burst_is_followed_by_what_fills_up_again() -> None:
    now = 0.0
    bucket = TokenBucket(60, 3, clock=lambda: now)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now = 1.0
    assert [bucket.take(), bucket.take()] == [True, False]
    now = 100.0
    assert bucket.take(3)
    assert not bucket.take()


def test_several_calls_are_taken_together_or_not_at_all() -> None:
    bucket = TokenBucket(60, 3, clock=lambda: 0.0)
    assert not bucket.take(4)
    assert bucket.take(3)


def test_nothing_is_called_while_slack_wants_a_pause() -> None:
    now = 0.0
    bucket = TokenBucket(60, 30, clock=lambda: now)
    bucket.pause(10)
    now = 9.0
    assert not bucket.take()
    now = 10.5
    assert bucket.take()
