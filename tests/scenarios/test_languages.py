"""What the bot says is said in the asker's language, or in the one that was chosen."""

import json
from contextlib import closing

import pytest

from bot.domain.settings import Settings
from bot.records.channels import Channels, ChannelSettings, People
from bot.records.database import Database
from bot.workspace import Workspace
from tests.scenarios.conftest import BOB, GUEST, HELP, ask, private_notes
from tests.scenarios.test_feedback import answer_id

UNKNOWN = "What is the melting point of tungsten?"


@pytest.mark.usefixtures("bot")
def test_a_german_question_is_answered_in_german(workspace: Workspace) -> None:
    message = ask(workspace, "Bei welcher Temperatur schmilzt eigentlich Wolfram?")
    shown = json.dumps(message["blocks"], ensure_ascii=False)
    for phrase in ("nicht gefunden", "Gute Antwort", "Einen Menschen fragen", "Andere Worte"):
        assert phrase in shown
    workspace.click(BOB, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")
    modal = workspace.wait_for(lambda: workspace.modal(BOB))
    assert modal["title"]["text"] == "Was war falsch?"
    (note,) = workspace.wait_for(lambda: private_notes(workspace, BOB))
    assert "Danke" in note["text"]


@pytest.mark.usefixtures("bot")
def test_a_refusal_is_said_in_the_askers_language(workspace: Workspace) -> None:
    message = ask(workspace, "Combien puis-je dépenser pour les repas en voyage ?", person=GUEST)
    assert "pas aux invités" in message["text"]


@pytest.mark.usefixtures("bot")
def test_a_chosen_language_wins_the_channels_over_the_persons(
    workspace: Workspace, settings: Settings
) -> None:
    with closing(Database(settings.records_url)) as database:
        People(database).choose_language(BOB, "pl")
        assert "Nie znalazłem" in ask(workspace, UNKNOWN, person=BOB)["text"]
        Channels(database).save(ChannelSettings(HELP, language="it"))
        assert "Non l'ho trovato" in ask(workspace, UNKNOWN, person=BOB)["text"]
        assert "Nie znalazłem" in ask(workspace, UNKNOWN, channel="D0BOB", person=BOB)["text"]
