"""Scores one reply: metrics that are counted, and RAGAS's and ALCE's, which ask a judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.evaluate.held_out import HeldOut
from adapters.evaluate.judging import Judge, claims_of
from adapters.evaluate.metrics import (
    citation_scores,
    context_precision,
    exact_match,
    share,
    token_f1,
)
from adapters.evaluate.systems import Reply
from bot.answering.cite import without_marks
from bot.answering.sentences import whole_sentences
from indexer.documents import Vectors

Embed = Callable[[Sequence[str]], Vectors]


def scores(asked: HeldOut, reply: Reply, judge: Judge, embed: Embed) -> dict[str, float]:
    """By metric; what does not apply is left out. Raises ModelError of the judge.

    A question that has no answer is only measured by whether it was declined. Of what was
    declined, or small talk, no claims are judged: it makes none.
    """
    found: dict[str, float | None] = {"seconds": reply.seconds, "failed": float(reply.failed)}
    found["tokens_per_second"] = reply.tokens_per_second
    if not asked.is_answerable:
        found["correct_refusal"] = float(reply.refused)
        return _known(found)
    answer = without_marks(reply.text)
    said = "" if reply.refused else answer
    found |= {
        "em": exact_match(said, asked.reference),
        "f1": token_f1(said, asked.reference),
        "wrong_refusal": float(reply.refused),
        "answer_relevancy": relevancy(asked.question.text, said, judge, embed),
    }
    if reply.is_claim:
        found["faithfulness"] = share(judge.supported(claims_of(reply.text), reply.evidence))
    if reply.retrieved is not None:
        found |= _of_retrieval(asked, reply, judge)
    return _known(found)


def relevancy(question: str, answer: str, judge: Judge, embed: Embed) -> float:
    """RAGAS's answer relevancy (Es et al. 2023, section 3): the mean cosine similarity, in −1..1,
    of the question and of questions generated from the answer. It differs in that a noncommittal
    answer, or none, has 0, as in RAGAS's library, and that the answer itself is compared where no
    model judges.
    """
    if not answer or judge.is_noncommittal(question, answer):
        return 0.0
    asked_back = [text for text in judge.asked_back(answer) if text]
    if not asked_back:
        return 0.0
    vectors = embed([question, *asked_back])
    return float((vectors[1:] @ vectors[0]).mean())


def _of_retrieval(asked: HeldOut, reply: Reply, judge: Judge) -> dict[str, float | None]:
    passages = reply.retrieved or ()
    helpful = judge.helpful(asked.question.text, asked.reference, passages)
    found: dict[str, float | None] = {
        "context_precision": context_precision(helpful),
        "context_recall": share(judge.supported(claims_of(asked.reference), passages)),
    }
    sentences = [one for one in whole_sentences(iter([reply.text])) if one.claim.strip()]
    cited = citation_scores(
        sentences,
        reply.cited,
        lambda claim, passages: judge.supported([claim], passages)[0],
    )
    if reply.is_claim and cited:
        found |= {"citation_precision": cited.precision, "citation_recall": cited.recall}
    return found


def _known(found: dict[str, float | None]) -> dict[str, float]:
    return {metric: value for metric, value in found.items() if value is not None}
