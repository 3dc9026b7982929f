"""What comes with a question is evidence for it alone; and what is told while it is answered."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.answering.pipeline import Pipeline
from bot.domain.values import Ending, Question, Stage
from bot.serving.lending import FixedModels
from bot.serving.model import Cancellation
from indexer.documents import Audience, Document, Passage
from indexer.index import Index
from tests.answering.test_pipeline import index
from tests.services.scripted_model import ScriptedModel

__all__ = ["index"]

PUBLIC = Audience.of("public")
OFFSITE = Document(
    "attachment:F1",
    "attachment",
    "offsite.md",
    "# Larkspur offsite\n\nThe catering budget of the Larkspur offsite is 4,250 EUR.",
    PUBLIC,
    url="https://x.slack.com/files/F1",
)
BUDGET = Question("q", "What is the catering budget of the Larkspur offsite?", PUBLIC)
HOTEL = Question("q", "What is the hotel limit in London?", PUBLIC)


def test_an_attached_file_is_quoted_and_cited(index: Index) -> None:
    answer = Pipeline(index, FixedModels(None)).answer(BUDGET, attachments=[OFFSITE])
    assert "4,250 EUR" in answer.text
    assert answer.citations[0].passage.title == "offsite.md"
    assert answer.citations[0].passage.url == OFFSITE.url


def test_it_is_gone_with_its_question(index: Index) -> None:
    pipeline = Pipeline(index, FixedModels(None))
    pipeline.answer(BUDGET, attachments=[OFFSITE])
    assert pipeline.answer(BUDGET).ending is Ending.NOT_FOUND


def test_a_model_reads_it_as_a_passage(index: Index) -> None:
    model = ScriptedModel("The catering budget of the Larkspur offsite is 4,250 EUR [1].")
    answer = Pipeline(index, FixedModels(model)).answer(BUDGET, attachments=[OFFSITE])
    assert answer.ending is Ending.GENERATED
    assert [one.passage.title for one in answer.citations] == ["offsite.md"]


def test_what_the_documents_answer_is_answered_from_them(index: Index) -> None:
    answer = Pipeline(index, FixedModels(None)).answer(HOTEL, attachments=[OFFSITE])
    assert "180 GBP" in answer.text
    assert "4,250" not in answer.text


def test_the_one_line_that_answers_is_found_deep_in_a_long_file(index: Index) -> None:
    """Not every chunk of a long file is embedded."""
    filler = "The trains of the northern line were punctual and the stations clean. " * 12
    pages = [f"# Day {number}\n\n{filler}" for number in range(150)]
    pages[140] = "# Day 140\n\nThe catering budget of the Larkspur offsite is 4,250 EUR."
    long = replace(OFFSITE, text="\n\n".join(pages))
    answer = Pipeline(index, FixedModels(None)).answer(BUDGET, attachments=[long])
    assert "4,250 EUR" in answer.text


def test_each_stage_is_told_with_what_is_read(index: Index) -> None:
    told: list[tuple[Stage, int]] = []

    def progress(stage: Stage, passages: Sequence[Passage]) -> None:
        told.append((stage, len(passages)))

    answer = Pipeline(
        index, FixedModels(ScriptedModel("The hotel limit in London is 180 GBP a night [1]."))
    ).answer(HOTEL, progress=progress)
    assert [stage for stage, _ in told] == [Stage.SEARCH, Stage.READ, Stage.WRITE]
    assert told[1][1] == len(answer.passages)


@pytest.mark.parametrize("stage", [Stage.SEARCH, Stage.READ])
def test_a_question_can_be_stopped_between_stages_without_a_model(
    index: Index, stage: Stage
) -> None:
    cancellation = Cancellation()

    def progress(entered: Stage, passages: Sequence[Passage]) -> None:
        if entered is Stage.SEARCH:
            cancellation.cancel()

    if stage is Stage.SEARCH:
        cancellation.cancel()
    answer = Pipeline(index, FixedModels(None)).answer(
        HOTEL, cancellation=cancellation, progress=progress
    )
    assert (answer.ending, answer.citations) == (Ending.STOPPED, ())


def test_an_answer_is_given_in_the_language_that_was_chosen(index: Index) -> None:
    unknown = Question("q", "What is the melting point of tungsten?", PUBLIC, language="de")
    answer = Pipeline(index, FixedModels(None)).answer(unknown)
    assert "nicht gefunden" in answer.text
