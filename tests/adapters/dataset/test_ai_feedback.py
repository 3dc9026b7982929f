from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from adapters.dataset.ai_feedback import ai_feedback, principles
from adapters.dataset.examples import Source
from adapters.dataset.exchanges import Exchange, Grounded
from adapters.dataset.prompt_sample import PromptSample
from adapters.errors import DatasetError
from bot.domain.values import Message, Question
from indexer.documents import Audience
from tests.adapters.team import PAGES, page
from tests.services.scripted_model import ScriptedModel


@pytest.fixture
def shown() -> PromptSample:
    question = Question("q", "What is paid for meals?", Audience.of("public"), channel="C1")
    good = Grounded(f"{PAGES['meals']} [1]", (page("meals"),))
    exchange = Exchange("x", question, Source.RLAIF, good=good, people=0)
    return PromptSample(exchange, (page("vpn"), page("meals")), (page("vpn"),))


def judged(shown: PromptSample, judge: Callable[[Sequence[Message], str], float]) -> list[bool]:
    model = ScriptedModel("", judge=judge)
    return [one.label for one in ai_feedback([shown], model, principles())]


def test_an_answer_that_keeps_every_principle_is_desirable(shown: PromptSample) -> None:
    assert judged(shown, lambda prefix, probe: 0.9) == [True]


def test_one_broken_principle_makes_an_answer_undesirable(shown: PromptSample) -> None:
    assert judged(shown, lambda prefix, probe: 0.1 if "brief" in probe else 0.9) == [False]


def test_a_judge_that_is_not_sure_says_nothing(shown: PromptSample) -> None:
    assert judged(shown, lambda prefix, probe: 0.6 if "brief" in probe else 0.9) == []


def test_the_judge_reads_question_passages_and_answer_and_one_principle_at_a_time(
    shown: PromptSample,
) -> None:
    seen: list[tuple[str, str]] = []

    def judge(prefix: Sequence[Message], probe: str) -> float:
        seen.append((prefix[-1].content, probe))
        return 1.0

    judged(shown, judge)
    assert len(seen) == len(principles()) >= 5
    for text, probe in seen:
        assert "What is paid for meals?" in text
        assert PAGES["vpn"] in text
        assert text.endswith(f"{PAGES['meals']} [2]")
        assert sum(rule in probe for rule in principles()) == 1


def test_a_label_is_marked_as_a_models(shown: PromptSample) -> None:
    (label,) = ai_feedback([shown], ScriptedModel(""), principles())
    assert (label.origin.source, label.people) == (Source.RLAIF, 0)


def test_a_constitution_is_numbered_sentences(tmp_path: Path) -> None:
    written = tmp_path / "constitution.md"
    written.write_text("# Ours\n\n1. Be kind,\n   always.\n2. Be brief.\n")
    assert principles(written) == ["Be kind, always.", "Be brief."]
    written.write_text("Be kind.")
    with pytest.raises(DatasetError, match="no principles"):
        principles(written)
