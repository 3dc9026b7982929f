import numpy as np
import pytest

from bot.answering.hyde import hypothetical, may_help
from bot.domain import prompts
from bot.domain.errors import Cancelled
from bot.serving.model import Cancellation
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.retrieval.nodes import unit_length
from tests.services.scripted_model import ScriptedModel


@pytest.mark.parametrize("text", ["What is INC-2291?", "VPN access?", "what does “on call” mean?"])
def test_what_names_its_subject_is_never_searched_by_a_hypothesis(text: str) -> None:
    assert not may_help(text)


def test_a_vague_question_may_be() -> None:
    assert may_help("how do we treat visitors?")


def test_question_and_hypothesis_are_embedded_and_the_words_stay() -> None:
    question, answer = "how do we treat {visitors}?", "Guests sign in at the front desk."
    model = ScriptedModel("", hypothesis=answer)
    bundle = hypothetical(question, model)
    assert bundle.query_str == question
    assert bundle.embedding_strs == [answer, question]
    assert model.shown == [prompts.hypothesis_messages(question)]


def test_question_and_hypothesis_weigh_the_same(embedding: LlamaCppEmbedding) -> None:
    question, answer = "how do we treat visitors?", "Guests sign in at the front desk."
    bundle = hypothetical(question, ScriptedModel("", hypothesis=answer))
    vector = unit_length(embedding.embed(bundle.embedding_strs).mean(axis=0))
    vectors = embedding.embed([question, answer])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert float(vector @ vectors[0]) == pytest.approx(float(vector @ vectors[1]), abs=1e-5)


def test_a_stopped_question_stops_its_hypothesis() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        hypothetical("how?", ScriptedModel("", hypothesis="Guests sign in."), cancellation)
