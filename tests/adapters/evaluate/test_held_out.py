"""What is asked is what was held out, for the readers it was answered for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from adapters.dataset.examples import Example, Kind, write_items
from adapters.evaluate.held_out import questions
from adapters.runs.manifest import Manifest, Run, run_stage
from bot.domain.prompts import NOTHING_FOUND
from indexer.documents import Audience
from tests.adapters.evaluate.contest import GENERAL, UNANSWERABLE, example, team_dataset


def dataset(folder: Path, held_out: list[Example]) -> Manifest:
    def work(run: Run) -> None:
        run.outputs["held_out"] = write_items(run.folder / "held_out.jsonl", held_out)
        run.outputs["validation"] = write_items(run.folder / "validation.jsonl", [])

    return run_stage("dataset", folder, settings={}, inputs={}, work=work)


def test_expected_answers_come_without_marks_and_refusals_without_answer(tmp_path: Path) -> None:
    found = questions(team_dataset(tmp_path, ("meals",)), None, 10)
    told = {one.question.text: one.reference for one in found.asked}
    assert told == {
        "How much is paid for meals on a journey a day?": "Meals on a journey are paid up to 45 "
        "EUR a day.",
        UNANSWERABLE: "",
    }
    assert found.answerable == 1


def test_questions_are_asked_for_the_readers_they_were_answered_for(tmp_path: Path) -> None:
    asked = example("How much?", "45 EUR. [1]")
    channel = ("public", "slack_channel:C0HELP")
    asked = replace(asked, origin=replace(asked.origin, audience=channel))
    found = questions(dataset(tmp_path, [asked]), None, 10)
    assert found.asked[0].question.audience == Audience.of(*channel)


def test_judgements_are_no_questions_and_each_exchange_is_asked_once(tmp_path: Path) -> None:
    held_out = [
        example("How much?", "45 EUR. [1]"),
        example("How much?", "Yes", Kind.RELEVANT),
        example("How much?", "45 EUR. [1]"),
        example("Who?", NOTHING_FOUND, Kind.REFUSAL),
    ]
    found = questions(dataset(tmp_path, held_out), None, 10)
    assert [one.question.text for one in found.asked] == ["How much?", "Who?"]


def test_general_examples_are_those_that_were_not_trained_on(tmp_path: Path) -> None:
    made = team_dataset(tmp_path)
    assert [one.messages[-1].content for one in questions(made, None, 10).general] == [GENERAL]
    assert questions(made, None, 0).general == ()
