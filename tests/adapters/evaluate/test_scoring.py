"""One reply scored, against values computed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from adapters.evaluate.held_out import HeldOut
from adapters.evaluate.judging import LexicalJudge, ModelJudge
from adapters.evaluate.scoring import relevancy, scores
from adapters.evaluate.systems import Reply
from bot.domain.values import Question
from indexer.documents import Audience, Vectors
from tests.adapters.team import PAGES, page
from tests.services.scripted_model import ScriptedModel

JUDGE = LexicalJudge(0.8)
QUESTION = Question("q", "How much is paid for meals?", Audience.of("public"))
ASKED = HeldOut(QUESTION, PAGES["meals"])
FOUND = (page("hotel"), page("meals"))


def embed(texts: Sequence[str]) -> Vectors:
    """Questions point one way, all else at 60 degrees to it."""
    vectors = [(1.0, 0.0) if text.endswith("?") else (0.5, 3**0.5 / 2) for text in texts]
    return np.array(vectors, np.float32)


def test_an_answer_from_documents_has_every_score() -> None:
    reply = Reply(
        text=f"{PAGES['meals']} [1] Trains are always late. [1]",
        seconds=2.0,
        evidence=FOUND,
        retrieved=FOUND,
        cited={1: FOUND[1]},
    )
    found = scores(ASKED, reply, JUDGE, embed)
    said, expected = 14, 10  # words without articles; all of the expected ones are said
    assert found["f1"] == pytest.approx(2 * expected / (said + expected))
    assert found == pytest.approx(
        {
            "seconds": 2.0,
            "failed": 0.0,
            "em": 0.0,
            "f1": found["f1"],
            "wrong_refusal": 0.0,
            "answer_relevancy": 0.5,
            "faithfulness": 0.5,
            "context_precision": 0.5,
            "context_recall": 1.0,
            "citation_precision": 0.5,
            "citation_recall": 0.5,
        }
    )


def test_a_refusal_is_wrong_where_an_answer_is_expected_and_claims_nothing() -> None:
    reply = Reply("I could not find this.", 1.0, FOUND, FOUND, refused=True, is_claim=False)
    found = scores(ASKED, reply, JUDGE, embed)
    assert (found["wrong_refusal"], found["f1"], found["answer_relevancy"]) == (1.0, 0.0, 0.0)
    assert found["context_recall"] == 1.0
    assert "faithfulness" not in found
    assert "citation_recall" not in found


@pytest.mark.parametrize("refused", [True, False])
def test_a_question_without_answer_measures_refusal_alone(refused: bool) -> None:
    reply = Reply("Something.", 1.0, FOUND, FOUND, refused=refused)
    found = scores(HeldOut(QUESTION, ""), reply, JUDGE, embed)
    assert found == {"seconds": 1.0, "failed": 0.0, "correct_refusal": float(refused)}


def test_relevancy_is_the_mean_cosine_of_the_questions_asked_back() -> None:
    committed = ModelJudge(ScriptedModel("What is paid?", judge=lambda prefix, probe: 0.0))
    assert relevancy("How much?", "45 EUR.", committed, embed) == pytest.approx(1.0)


def test_an_evading_answer_is_not_relevant() -> None:
    evading = ModelJudge(ScriptedModel("What is paid?", judge=lambda prefix, probe: 1.0))
    assert relevancy("How much?", "It depends.", evading, embed) == 0.0
