"""Whose token a call carries, in a listener's threads and in a job's."""

import pytest

from bot.domain.errors import SlackError
from bot.domain.settings import SlackTable
from bot.slack.connection.clients import ServingExecutor, current_team, serve, serving, web_client

SETTINGS = SlackTable()


def test_the_token_is_that_of_the_workspace_that_is_served() -> None:
    client = web_client(SETTINGS, {"T1": "one", "T2": "two"}.__getitem__)
    assert client.token is None
    with serving("T1"):
        assert client.token == "one"
        with serving("T2"):
            assert client.token == "two"
        assert client.token == "one"
    assert current_team() == ""


def test_threads_serve_the_workspace_of_whoever_gave_them_work() -> None:
    with ServingExecutor(1) as threads:
        with serving("T1"):
            assert threads.submit(current_team).result() == "T1"
        assert threads.submit(current_team).result() == ""
        assert threads.submit(lambda: (serve("T2"), current_team())[1]).result() == "T2"
        assert threads.submit(current_team).result() == ""


def test_a_workspace_without_installation_is_a_sentence() -> None:
    def token_of(team: str) -> str:
        raise SlackError(f"{team} has not installed the app.")

    with serving("T3"), pytest.raises(SlackError, match="not installed"):
        web_client(SETTINGS, token_of).auth_test()
