"""The pipeline's control flow, over a real index and a model that says what the test wants."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bot.answering.pipeline import Pipeline
from bot.domain.errors import ModelError
from bot.domain.thresholds import Thresholds
from bot.domain.values import Answer, Ending, Message, Question
from bot.serving.lending import FixedModels
from bot.serving.model import Cancellation
from indexer.documents import Audience
from indexer.index import Index, open_index
from indexer.settings import FilesSource, IndexSettings
from tests.services.scripted_model import ScriptedModel, certain

PAGES = {
    "limits.md": "---\nupdated: 2026-05-01\n---\n# Hotel limits\n\n"
    "The hotel limit in London is 180 GBP a night. Keep every receipt above 25 GBP.",
    "old-travel.md": "---\nupdated: 2023-02-01\n---\n# Travel\n\n"
    "The hotel limit in London is 140 GBP a night. Book through the portal.",
    "leave.md": "# Leave\n\nEverybody has 28 days of leave a year.",
    "visitors.md": "# Front desk\n\nGuests sign in and get a badge; their host meets them.",
}
ANSWER = "The hotel limit in London is 180 GBP a night [1]."


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("pages")
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    settings = IndexSettings(
        data_dir=tmp_path_factory.mktemp("index"),
        cache_dir=cache_dir,
        sources=(FilesSource(name="docs", path=folder, audience=("public",)),),
    )
    with open_index(settings) as index:
        index.sync()
        yield index


Ask = Callable[..., Answer]


@pytest.fixture
def ask(index: Index) -> Ask:
    def asked(
        model: ScriptedModel | None,
        text: str = "What is the hotel limit in London?",
        history: tuple[Message, ...] = (),
        cancellation: Cancellation | None = None,
        show: Callable[[str], None] = lambda text: None,
    ) -> Answer:
        question = Question("q", text, Audience.of("public"), history=history)
        pipeline = Pipeline(index, FixedModels(model))
        return pipeline.answer(question, show, cancellation)

    return asked


def kinds(answer: Answer) -> set[str]:
    return {reflection.kind for reflection in answer.reflections}


def says_no_to(*signs: str) -> Callable[[Sequence[Message], str], float]:
    def judge(prefix: Sequence[Message], probe: str) -> float:
        no = any(sign in probe for sign in signs)
        return 0.05 if no else certain(prefix, probe)

    return judge


def test_an_answer_is_judged_at_every_step_and_cited(ask: Ask) -> None:
    answer = ask(ScriptedModel(ANSWER))
    assert answer.ending is Ending.GENERATED
    assert answer.text == "The hotel limit in London is 180 GBP a night. [1]"
    assert kinds(answer) == {"evidence", "relevant", "conflicting", "supported", "useful"}
    assert answer.versions.model.startswith("scripted@")
    assert set(answer.seconds) == {
        "route",
        "condense",
        "retrieve",
        "evidence",
        "judge",
        "write",
        "check",
    }


def test_without_a_model_the_documents_are_quoted(ask: Ask) -> None:
    answer = ask(None)
    assert answer.ending is Ending.QUOTED
    assert "180 GBP" in answer.text


def test_a_failing_model_leaves_the_documents_to_be_quoted(ask: Ask) -> None:
    answer = ask(ScriptedModel(ModelError("The language model failed.")))
    assert answer.ending is Ending.QUOTED
    assert answer.versions.model == ""


def test_an_answer_may_not_rest_on_a_passage_judged_irrelevant(ask: Ask) -> None:
    answer = ask(ScriptedModel(ANSWER, judge=says_no_to("Passage 1", "Passage 2")))
    assert answer.ending is not Ending.GENERATED


def test_nothing_is_said_when_no_passage_is_relevant(ask: Ask) -> None:
    model = ScriptedModel(ANSWER, judge=says_no_to("help to answer"))
    answer = ask(model)
    assert answer.ending is Ending.NOT_FOUND
    assert answer.nearest
    assert not answer.citations


def test_a_model_that_finds_no_answer_in_the_passages_is_believed(ask: Ask) -> None:
    assert ask(ScriptedModel("NOTHING FOUND")).ending is Ending.NOT_FOUND


def test_an_answer_to_another_question_is_withdrawn(ask: Ask) -> None:
    answer = ask(ScriptedModel(ANSWER, judge=says_no_to("what the question asks for?")))
    assert answer.ending is Ending.NOT_FOUND
    assert "180" not in answer.text


def test_where_all_sentences_are_cut_the_documents_are_quoted(ask: Ask) -> None:
    answer = ask(ScriptedModel("The gym on the third floor opens at six [1]."))
    assert answer.ending is Ending.QUOTED


def test_passages_that_disagree_are_named_with_their_dates(ask: Ask) -> None:
    answer = ask(ScriptedModel(ANSWER, judge=lambda prefix, probe: 1.0))
    notice = answer.text.splitlines()[-1]
    assert notice == "These sources disagree: [1] (2026-05-01) · [2] (2023-02-01)"
    assert {citation.passage.title for citation in answer.citations} == {"Hotel limits", "Travel"}


def test_a_model_is_told_which_passages_disagree(ask: Ask) -> None:
    model = ScriptedModel(ANSWER, judge=lambda prefix, probe: 1.0)
    ask(model)
    assert "passages [1] and [2] give different answers" in model.shown[-1][-1].content


def test_a_follow_up_is_answered_as_the_question_it_means(ask: Ask) -> None:
    thread = (Message("user", "Tell me about London"), Message("assistant", "It is big. [1]"))
    model = ScriptedModel(ANSWER, condensed="What is the hotel limit in London?")
    answer = ask(model, "and hotels there?", thread)
    assert answer.searched == "What is the hotel limit in London?"
    assert answer.ending is Ending.GENERATED
    assert answer.question.text == "and hotels there?"


def test_weak_evidence_is_searched_for_once_more_by_a_hypothesis(ask: Ask) -> None:
    hypothesis = "Guests sign in at the front desk and get a badge."
    model = ScriptedModel("Guests sign in and get a badge [1].", hypothesis=hypothesis)
    answer = ask(model, "how are people from outside handled?")
    assert "hypothesis" in answer.seconds
    assert any("handbook" in messages[0].content for messages in model.shown)


def test_talk_is_looked_up_only_if_the_model_says_so(ask: Ask) -> None:
    talk = "that was quick, I like it"
    assert ask(ScriptedModel("", judge=says_no_to("must the team")), talk).ending is (
        Ending.SMALL_TALK
    )
    assert "evidence" in kinds(ask(ScriptedModel("NOTHING FOUND"), talk))


def test_the_bot_speaks_the_language_of_the_asker(ask: Ask) -> None:
    answer = ask(None, "Wie viele Elefanten leben im Zoo von Berlin?")
    assert answer.text.startswith("Das habe ich in den Dokumenten")


def test_a_model_is_asked_for_the_language_of_the_asker(ask: Ask) -> None:
    model = ScriptedModel("Das Hotellimit in London ist 180 GBP [1].")
    answer = ask(model, "Was ist das Hotel Limit in London pro Nacht?")
    assert "in German" in model.shown[-1][-1].content
    assert answer.text == "Das Hotellimit in London ist 180 GBP. [1]"


def test_who_stops_an_answer_gets_no_other_one(ask: Ask) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    answer = ask(ScriptedModel(ANSWER), cancellation=cancellation)
    assert answer.ending is Ending.STOPPED
    assert not answer.citations


def test_thresholds_decide(index: Index) -> None:
    judge = says_no_to("help to answer")
    pipeline = Pipeline(
        index,
        FixedModels(ScriptedModel(ANSWER, judge=judge)),
        thresholds=Thresholds(relevant=0.01),
    )
    question = Question("q", "What is the hotel limit in London?", Audience.of("public"))
    assert pipeline.answer(question).ending is Ending.GENERATED
