import numpy as np
import pytest

from bot.answering.hypothesis import hypothetical_vector, may_help
from indexer.embedding.embedding import LlamaCppEmbedding
from tests.services.scripted_model import ScriptedModel


@pytest.mark.parametrize("text", ["What is INC-2291?", "VPN access?", "what does “on call” mean?"])
def test_what_names_its_subject_is_never_searched_by_a_hypothesis(text: str) -> None:
    assert not may_help(text)


def test_a_vague_question_may_be() -> None:
    assert may_help("how do we treat visitors?")


def test_question_and_hypothesis_weigh_the_same(embedding: LlamaCppEmbedding) -> None:
    question, answer = "how do we treat visitors?", "Guests sign in at the front desk."
    vector = hypothetical_vector(question, ScriptedModel("", hypothesis=answer), embedding.embed)
    vectors = embedding.embed([question, answer])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert float(vector @ vectors[0]) == pytest.approx(float(vector @ vectors[1]), abs=1e-5)
