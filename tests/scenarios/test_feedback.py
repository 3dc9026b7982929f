"""Votes by button and by reaction, the form behind a 👎, and taking all of it back."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from bot.domain.settings import Settings
from bot.domain.values import Correction, Reason, Thumb
from bot.records.database import Database
from bot.records.feedback import Corrections, Votes
from bot.workspace import Workspace
from tests.scenarios.conftest import ALICE, BOB, HELP, Message, ask, private_notes

MEALS = "How much may I spend on meals per day when I travel?"


def answer_id(message: Message) -> str:
    actions = next(block for block in message["blocks"] if block["type"] == "context_actions")
    return str(actions["elements"][0]["positive_button"]["value"]).partition(":")[2]


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with closing(Database(settings.records_url)) as database:
        yield database


@pytest.fixture
def votes(database: Database) -> Callable[[Message], dict[str, Thumb]]:
    def read(message: Message) -> dict[str, Thumb]:
        return {vote.voter: vote.thumb for vote in Votes(database).of(answer_id(message))}

    return read


@pytest.fixture
def corrections(database: Database) -> Callable[[Message], list[Correction]]:
    return lambda message: Corrections(database).of(answer_id(message))


VotesOf = Callable[[Message], dict[str, Thumb]]
CorrectionsOf = Callable[[Message], list[Correction]]


@pytest.mark.usefixtures("bot")
def test_a_click_is_kept_and_the_last_one_of_a_person_wins(
    workspace: Workspace, votes: VotesOf
) -> None:
    message = ask(workspace, MEALS)
    identifier = answer_id(message)
    for person, thumb in ((ALICE, "up"), (BOB, "up"), (ALICE, "down")):
        workspace.click(person, HELP, message["ts"], "feedback", f"{thumb}:{identifier}")
    assert votes(message) == {ALICE: Thumb.DOWN, BOB: Thumb.UP}


@pytest.mark.usefixtures("bot")
def test_only_the_voter_sees_the_thanks(workspace: Workspace) -> None:
    message = ask(workspace, MEALS)
    workspace.click(BOB, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")
    (note,) = workspace.wait_for(lambda: private_notes(workspace, BOB))
    assert "Thank you" in note["text"]
    assert private_notes(workspace, ALICE) == []


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("name", ["+1", "thumbsup", "+1::skin-tone-4"])
def test_a_reaction_is_the_same_vote_and_removing_it_withdraws_it(
    workspace: Workspace, votes: VotesOf, name: str
) -> None:
    message = ask(workspace, MEALS)
    workspace.click(BOB, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")
    workspace.react(BOB, HELP, message["ts"], "eyes")
    workspace.react(BOB, HELP, message["ts"], name)
    workspace.wait_for(lambda: votes(message) == {BOB: Thumb.UP})
    workspace.unreact(BOB, HELP, message["ts"], name)
    workspace.wait_for(lambda: votes(message) == {})


@pytest.mark.usefixtures("bot")
def test_an_old_reaction_does_not_take_back_a_newer_vote(
    workspace: Workspace, votes: VotesOf
) -> None:
    message = ask(workspace, MEALS)
    workspace.react(BOB, HELP, message["ts"], "+1")
    workspace.wait_for(lambda: votes(message) == {BOB: Thumb.UP})
    workspace.react(BOB, HELP, message["ts"], "thumbsdown")
    workspace.wait_for(lambda: votes(message) == {BOB: Thumb.DOWN})
    workspace.unreact(BOB, HELP, message["ts"], "+1")
    workspace.react(ALICE, HELP, message["ts"], "-1")
    workspace.wait_for(lambda: ALICE in votes(message))
    assert votes(message) == {BOB: Thumb.DOWN, ALICE: Thumb.DOWN}


@pytest.mark.usefixtures("bot")
def test_a_reaction_that_slack_tells_of_again_does_not_vote_again(
    workspace: Workspace, votes: VotesOf
) -> None:
    message = ask(workspace, MEALS)
    workspace.react(BOB, HELP, message["ts"], "+1")
    workspace.wait_for(lambda: votes(message) == {BOB: Thumb.UP})
    workspace.unreact(BOB, HELP, message["ts"], "+1")
    workspace.wait_for(lambda: votes(message) == {})
    added, *_ = workspace.event_ids(message["ts"])[-2:]
    workspace.deliver_again(added)
    workspace.wait_for(lambda: workspace.acknowledged(added))
    assert votes(message) == {}


@pytest.mark.usefixtures("bot")
def test_a_bad_answer_is_explained_in_a_form(
    workspace: Workspace, votes: VotesOf, corrections: CorrectionsOf
) -> None:
    message = ask(workspace, MEALS)
    workspace.click(BOB, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")
    workspace.wait_for(lambda: workspace.modal(BOB))
    filled = {"reason": "outdated", "text": "It is 50 EUR now.", "consent": ["may_learn"]}
    assert workspace.submit_view(BOB, filled) == {}
    (correction,) = corrections(message)
    assert (correction.author, correction.reason) == (BOB, Reason.OUTDATED)
    assert (correction.text, correction.may_learn) == ("It is 50 EUR now.", True)
    thanks = workspace.modal(BOB)
    assert thanks is not None
    assert "learn from what you wrote" in str(thanks["blocks"])
    assert votes(message) == {BOB: Thumb.DOWN}


@pytest.mark.usefixtures("bot")
def test_nothing_is_learned_without_consent_and_an_empty_form_says_nothing(
    workspace: Workspace, corrections: CorrectionsOf
) -> None:
    message = ask(workspace, MEALS)
    for person, filled in ((ALICE, {"text": "It is 50 EUR now."}), (BOB, {})):
        workspace.click(person, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")
        workspace.wait_for(lambda person=person: workspace.modal(person))
        workspace.submit_view(person, filled)
    (correction,) = corrections(message)
    assert (correction.author, correction.may_learn) == (ALICE, False)


@pytest.mark.usefixtures("bot")
def test_a_thumbs_down_reaction_offers_the_form(
    workspace: Workspace, corrections: CorrectionsOf
) -> None:
    message = ask(workspace, MEALS)
    workspace.react(BOB, HELP, message["ts"], "-1")
    (note,) = workspace.wait_for(lambda: private_notes(workspace, BOB))
    assert note["thread_ts"] == message["thread_ts"]
    workspace.click(BOB, HELP, note["ts"], "tell_more")
    workspace.wait_for(lambda: workspace.modal(BOB))
    workspace.submit_view(BOB, {"reason": "wrong"})
    assert [one.reason for one in corrections(message)] == [Reason.WRONG]


@pytest.mark.usefixtures("bot")
def test_withdrawing_takes_back_the_vote_and_what_was_written(
    workspace: Workspace, votes: VotesOf, corrections: CorrectionsOf
) -> None:
    message = ask(workspace, MEALS)
    workspace.click(BOB, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")
    workspace.wait_for(lambda: workspace.modal(BOB))
    workspace.submit_view(BOB, {"text": "It is 50 EUR now."})
    (note,) = workspace.wait_for(lambda: private_notes(workspace, BOB))
    workspace.click(BOB, HELP, note["ts"], "withdraw_vote")
    assert votes(message) == {}
    assert corrections(message) == []
    workspace.wait_for(lambda: "withdrawn" in private_notes(workspace, BOB)[0]["text"])


@pytest.mark.usefixtures("bot")
def test_a_form_that_slack_does_not_open_is_offered_again(
    workspace: Workspace, votes: VotesOf
) -> None:
    message = ask(workspace, MEALS)
    workspace.faults.add("views.open", error="expired_trigger_id")
    workspace.click(BOB, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")
    (note,) = workspace.wait_for(lambda: private_notes(workspace, BOB))
    assert "tell_more" in str(note["blocks"])
    assert votes(message) == {BOB: Thumb.DOWN}


@pytest.mark.usefixtures("bot")
def test_a_changed_vote_leaves_one_note_which_still_holds(
    workspace: Workspace, votes: VotesOf
) -> None:
    message = ask(workspace, MEALS)
    identifier = answer_id(message)
    for thumb in ("up", "down", "up"):
        workspace.click(BOB, HELP, message["ts"], "feedback", f"{thumb}:{identifier}")
    workspace.react(BOB, HELP, message["ts"], "+1")
    workspace.click(ALICE, HELP, message["ts"], "feedback", f"up:{identifier}")
    workspace.wait_for(lambda: private_notes(workspace, ALICE))
    (note,) = private_notes(workspace, BOB)
    assert "Good answers" not in note["text"]
    assert "tell_more" not in str(note["blocks"])
    workspace.click(BOB, HELP, note["ts"], "withdraw_vote")
    assert votes(message) == {ALICE: Thumb.UP}
    workspace.click(BOB, HELP, message["ts"], "feedback", f"up:{identifier}")
    workspace.wait_for(lambda: len(private_notes(workspace, BOB)) == 2)


@pytest.mark.usefixtures("bot")
def test_the_view_that_thanks_is_called_so_and_can_be_closed(workspace: Workspace) -> None:
    message = ask(workspace, MEALS)
    workspace.click(BOB, HELP, message["ts"], "feedback", f"down:{answer_id(message)}")
    workspace.wait_for(lambda: workspace.modal(BOB))
    workspace.submit_view(BOB, {"text": "It is 50 EUR now."})
    thanks = workspace.modal(BOB)
    assert thanks is not None
    assert thanks["title"]["text"] == "Thank you"
    assert thanks["close"]["text"] == "Close"
    assert thanks.get("submit") is None
