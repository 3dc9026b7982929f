"""Models that the settings pin."""

from __future__ import annotations

import pytest

from bot.domain.errors import ModelUnreachable
from bot.serving.breaker import CircuitBreaker
from bot.serving.lending import FixedModels, ServerModels
from bot.serving.model import LanguageModel
from tests.services.scripted_model import ScriptedModel


class Server:
    """Away until ``up``; counts how often somebody tried."""

    def __init__(self) -> None:
        self.up = False
        self.tries = 0
        self.now = 0.0

    def connect(self) -> LanguageModel:
        self.tries += 1
        if not self.up:
            raise ModelUnreachable("The server is away: start it.")
        return ScriptedModel("fine")

    def clock(self) -> float:
        return self.now


def test_a_pinned_model_is_lent_to_everybody() -> None:
    model = ScriptedModel("fine")
    with FixedModels(model).lease() as lent:
        assert lent is model


def test_while_a_server_is_away_there_is_no_model_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server()
    models = ServerModels(server.connect, clock=server.clock)
    with models.lease() as lent:
        assert lent is None
    assert "The server is away" in caplog.text


def test_a_server_that_is_away_is_tried_again_but_not_by_every_question() -> None:
    server = Server()
    models = ServerModels(server.connect, clock=server.clock)
    for _ in range(5):
        with models.lease():
            pass
    assert server.tries == 1
    server.up, server.now = True, 31.0
    with models.lease() as lent:
        assert lent is not None
    with models.lease() as again:
        assert again is lent
    assert server.tries == 2


def test_health_knows_of_a_server_that_is_away_and_that_it_is_back() -> None:
    server = Server()
    models = ServerModels(server.connect, clock=server.clock)
    assert models.problems() == ("The server is away: start it.",)
    server.up = True
    assert models.problems() == ("The server is away: start it.",)
    server.now = 31.0
    assert models.problems() == ()
    assert server.tries == 2


def test_health_knows_of_a_server_that_answered_once_and_fails_since() -> None:
    now = 0.0

    class Failing(ScriptedModel):
        breaker = CircuitBreaker(failures=2, seconds=20, clock=lambda: now)

    models = ServerModels(lambda: Failing("fine"))
    for problems in ((), ("It is out of memory.",)):
        with pytest.raises(ModelUnreachable), Failing.breaker.call():
            raise ModelUnreachable("It is out of memory.")
        assert models.problems() == problems
    now = 21.0  # who asks now tries it, and nobody asks whom the probe calls not ready
    assert models.problems() == ()


def test_after_closing_nothing_is_connected_again() -> None:
    server = Server()
    server.up = True
    models = ServerModels(server.connect, clock=server.clock)
    models.close()
    with models.lease() as lent:
        assert lent is None
    assert server.tries == 1
