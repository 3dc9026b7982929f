"""The prompts that Slack suggests are made from what their person may read."""

import json

import pytest

from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, BOB, GUEST, ask


@pytest.mark.usefixtures("bot")
def test_prompts_are_questions_that_this_person_gets_answered(workspace: Workspace) -> None:
    workspace.open_home(BOB, tab="messages")
    first, *questions = workspace.wait_for(lambda: workspace.prompts("D0BOB"), timeout=60)
    assert first["message"] == "What can you help me with?"
    assert len(questions) == 3
    assert "Bittern" not in json.dumps(questions)  # a project of the leaders
    assert "[1]" in ask(workspace, questions[0]["message"], channel="D0BOB", person=BOB)["text"]
    told = ask(workspace, first["message"], channel="D0BOB", person=BOB)["text"]
    assert "handbook" in told
    assert "(documents: " in told


@pytest.mark.usefixtures("bot")
def test_guests_are_suggested_nothing(workspace: Workspace) -> None:
    workspace.open_home(GUEST, tab="messages")
    workspace.open_home(ALICE, tab="messages")
    workspace.wait_for(lambda: workspace.prompts("D0ALICE"), timeout=60)
    assert workspace.prompts("D0CARLA") == []
