"""A Weaviate server that goes away, is overloaded or slow, and comes back, under the running bot.

The server is a stand-in that speaks Weaviate's protocols, with faults on demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from bot.workspace import Workspace
from tests.reliability.conftest import LEAVE, posted
from tests.scenarios.conftest import HELP, answer_to, replies
from tests.scenarios.test_crash import running
from tests.services.weaviate_standin import WeaviateStandIn, no_fault, slow


@pytest.fixture
def standin() -> Iterator[WeaviateStandIn]:
    server = WeaviateStandIn()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def on_weaviate(environment: dict[str, str], standin: WeaviateStandIn) -> dict[str, str]:
    return environment | {
        "LOREBOT_STORE_KIND": "weaviate",
        "LOREBOT_STORE_URL": standin.url,
        "LOREBOT_STORE_GRPC_PORT": str(standin.grpc_port),
    }


@contextmanager
def fault(standin: WeaviateStandIn, which: str) -> Iterator[None]:
    """Until the block ends, every search fails in one way or another."""
    if which == "down":
        standin.stop()
    else:
        standin.fault = lambda call: grpc.StatusCode.UNAVAILABLE
    try:
        yield
    finally:
        standin.fault = no_fault
        if which == "down":
            standin.start()


@pytest.mark.parametrize("which", ["down", "overloaded"])
def test_who_asks_meanwhile_is_told_and_the_next_question_is_answered(
    workspace: Workspace, on_weaviate: dict[str, str], standin: WeaviateStandIn, which: str
) -> None:
    with running(on_weaviate, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
        with fault(standin, which):
            ts = posted(workspace)
            told = answer_to(workspace, HELP, ts, timeout=180)["text"]
            assert "45 EUR" not in told
            assert "could not answer" in told
        assert "45 EUR" in answer_to(workspace, HELP, posted(workspace), timeout=120)["text"]
        assert len(replies(workspace, HELP, ts)) == 1


def test_bot_waits_for_a_slow_server_only_so_long(
    workspace: Workspace, on_weaviate: dict[str, str], standin: WeaviateStandIn
) -> None:
    with running(on_weaviate, workspace):
        answer_to(workspace, HELP, posted(workspace, LEAVE), timeout=120)
        standin.fault = slow(40.0)
        told = answer_to(workspace, HELP, posted(workspace), timeout=240)["text"]
        standin.fault = no_fault
        assert "could not answer" in told
        assert "45 EUR" in answer_to(workspace, HELP, posted(workspace), timeout=120)["text"]
