from datetime import UTC, datetime

import pytest
from rich.console import Console

from bot.cli.records import tree
from bot.domain.values import (
    Answer,
    Asked,
    Citation,
    Correction,
    Ending,
    Question,
    Reason,
    Reflection,
    Thumb,
    Versions,
    Vote,
)
from bot.records.answers import Answers
from bot.records.database import Database
from bot.records.feedback import Corrections, Feedback, Judged, Votes
from bot.telemetry.spans import trace_id_of
from indexer.documents import Audience
from tests.answering.samples import LEAVE, MEALS


def answer(question: str = "C0HELP:1700000000.000100") -> Answer:
    return Answer(
        Question(question, "And for [bold]meals?", Audience.of("public", "slack_channel:C0HELP")),
        "Meals are refunded up to 45 EUR. [1]",
        Ending.GENERATED,
        Versions("p7", "tiny@abc", "minilm", "team@12"),
        citations=(Citation(1, MEALS),),
        passages=(MEALS, LEAVE),
        reflections=(
            Reflection("evidence", MEALS.chunk.id, 0.61),
            Reflection("relevant", MEALS.chunk.id, 0.93),
            Reflection("conflicting", f"{MEALS.chunk.id} {LEAVE.chunk.id}", 0.02),
            Reflection("supported", "Meals are refunded up to 45 EUR.", 0.88),
            Reflection("supported", "It rains.", 0.07),
            Reflection("useful", "", 0.79),
        ),
        searched="How much may I spend on meals?",
        seconds={"retrieve": 0.031, "write": 2.5},
    )


def shown(judged: Judged) -> str:
    console = Console(width=140, no_color=True)
    with console.capture() as capture:
        console.print(tree(judged))
    return capture.get()


def test_a_trace_shows_every_step_with_its_probability() -> None:
    vote = Vote("a1", "U0ALICE", Thumb.DOWN)
    correction = Correction("a1", "U0ALICE", "It is 50 EUR.", Reason.OUTDATED)
    text = shown(Judged("a1", datetime.now(UTC), False, answer(), (vote,), (correction,)))
    for expected in (
        "And for [bold]meals?",
        "searched for: How much may I spend on meals?",
        "slack_channel:C0HELP",
        "[1] Expenses",
        "evidence  61%, relevant  93%",
        "Leave (hb:leave.md#0): score 0.90, not judged",
        "kept  88%",
        "cut    7%",
        "79%  says what was asked for",
        "down by U0ALICE",
        "outdated by U0ALICE: It is 50 EUR.",
        "2.500  write",
        "adapter team@12",
        f"trace {trace_id_of(answer().question.id)}",
    ):
        assert expected in text


@pytest.fixture
def kept(database: Database) -> str:
    asked = Asked(
        "C0HELP:1700000000.000100", "Ev1", "C0HELP", "1700000000.000100", "U0ALICE", "And?"
    )
    answers = Answers(database)
    answers.ask(asked)
    answers.reply_posted(asked.id, "1700000001.000200")
    answer_id = answers.save(answer(asked.id))
    Votes(database).cast(Vote(answer_id, "U0BOB", Thumb.UP))
    Corrections(database).give(Correction(answer_id, "U0BOB", "Fine."))
    return answer_id


@pytest.mark.parametrize(
    "which",
    [
        "",
        "C0HELP:1700000000.000100",
        "https://acme.slack.com/archives/C0HELP/p1700000001000200?thread_ts=1700000000.000100",
        "https://acme.slack.com/archives/C0HELP/p1700000000000100",
    ],
)
def test_an_answer_is_found_by_what_a_person_has_at_hand(
    which: str, kept: str, database: Database
) -> None:
    found = Feedback(database).find(which)
    assert found is not None
    assert found.answer_id == kept
    assert found.answer.searched == "How much may I spend on meals?"
    assert [vote.voter for vote in found.votes] == ["U0BOB"]


@pytest.mark.parametrize(
    "which", ["nonsense", "https://acme.slack.com/archives/C0/p1700000001000200"]
)
def test_what_is_not_there_is_not_found(which: str, kept: str, database: Database) -> None:
    assert Feedback(database).find(which) is None
