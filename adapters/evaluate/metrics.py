"""The metrics of an answer and their arithmetic: SQuAD, RAGAS, ALCE; no model is asked here."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.answering.cite import marks
from bot.answering.sentences import Sentence
from indexer.documents import Passage

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

Entails = Callable[[str, Sequence[Passage]], bool]
"""Whether passages, read together, state all of a claim."""


class Unit(StrEnum):
    """What a metric is counted in; shares are in 0..1."""

    SHARE = "share"
    SECONDS = "seconds"
    TOKENS_PER_SECOND = "tokens per second"


@dataclass(frozen=True, slots=True)
class Metric:
    """``meaning`` explains the metric in a report."""

    title: str
    meaning: str
    higher_is_better: bool = True
    unit: Unit = Unit.SHARE

    @property
    def is_quality(self) -> bool:
        """Whether it is about answers, not about the machine that computed them."""
        return self.unit is Unit.SHARE


METRICS: Mapping[str, Metric] = {
    "em": Metric("Exact match", "The answer is the expected one, word for word (SQuAD)."),
    "f1": Metric("Token F1", "How many words the answer shares with the expected one (SQuAD)."),
    "faithfulness": Metric("Faithfulness", "Claims that the passages found support (RAGAS)."),
    "answer_relevancy": Metric(
        "Answer relevancy", "How well the answer fits what was asked (RAGAS)."
    ),
    "context_precision": Metric(
        "Context precision", "Helpful passages stand before the others (RAGAS)."
    ),
    "context_recall": Metric(
        "Context recall", "What the expected answer says stands in the passages (RAGAS)."
    ),
    "citation_precision": Metric("Citation precision", "Citations that are needed (ALCE)."),
    "citation_recall": Metric(
        "Citation recall", "Sentences that their own citations support (ALCE)."
    ),
    "correct_refusal": Metric(
        "Rightly declined", "Questions without an answer in the documents that were declined."
    ),
    "wrong_refusal": Metric(
        "Wrongly declined", "Answerable questions that were declined.", higher_is_better=False
    ),
    "general_f1": Metric(
        "General knowledge", "Word overlap on general examples: what was not forgotten."
    ),
    "failed": Metric("Failures", "The model failed or ran out of time.", higher_is_better=False),
    "seconds": Metric(
        "Seconds per answer",
        "From the question to the whole answer.",
        higher_is_better=False,
        unit=Unit.SECONDS,
    ),
    "tokens_per_second": Metric(
        "Tokens per second",
        "How fast the model generates closed-book.",
        unit=Unit.TOKENS_PER_SECOND,
    ),
}


def normalised_answer(text: str) -> str:
    """Lower case without ASCII punctuation, English articles and extra blanks, as SQuAD's
    evaluation script does it (Rajpurkar et al. 2016).
    """
    plain = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact_match(answer: str, reference: str) -> float:
    """1 where both are the same after SQuAD's normalisation, else 0."""
    return float(normalised_answer(answer) == normalised_answer(reference))


def token_f1(answer: str, reference: str) -> float:
    """SQuAD's F1: harmonic mean of precision and recall of the words, with repetitions, in 0..1."""
    said, expected = normalised_answer(answer).split(), normalised_answer(reference).split()
    if not said or not expected:
        return float(said == expected)
    shared = sum((Counter(said) & Counter(expected)).values())
    return 2 * shared / (len(said) + len(expected))


def share(verdicts: Sequence[bool]) -> float | None:
    """The share of supported claims in 0..1; None where nothing was claimed.

    Of an answer's claims it is RAGAS's faithfulness (Es et al. 2023, arXiv:2309.15217), of the
    reference's claims the context recall of the library of that name.
    """
    return sum(verdicts) / len(verdicts) if verdicts else None


def context_precision(helpful: Sequence[bool]) -> float:
    """The RAGAS library's context precision at K: Σ precision@k · v_k / Σ v_k, which is average
    precision over the K passages; 0 where none helps.
    """
    hits, total = 0, 0.0
    for place, helps in enumerate(helpful, start=1):
        if helps:
            hits += 1
            total += hits / place
    return total / hits if hits else 0.0


@dataclass(frozen=True, slots=True)
class CitationScores:
    """Of one answer, both in 0..1."""

    precision: float
    recall: float


def citation_scores(
    sentences: Sequence[Sentence], cited: Mapping[int, Passage], entails: Entails
) -> CitationScores | None:
    """ALCE's citation precision and recall (Gao et al. 2023, arXiv:2305.14627), in 0..1; None
    without any sentence.

    Recall is the share of sentences that their citations, read together, entail: none, or one
    that is not in ``cited``, counts 0. A citation of an entailed sentence is precise unless it
    alone does not entail it and the others still do; those of other sentences are not.
    """
    if not sentences:
        return None
    precise = given = entailed = 0
    for sentence in sentences:
        numbers = marks(sentence.text)
        given += len(numbers)
        passages = [cited[number] for number in numbers if number in cited]
        if not numbers or len(passages) < len(numbers) or not entails(sentence.claim, passages):
            continue
        entailed += 1
        precise += sum(
            _is_needed(sentence.claim, passages, at, entails) for at in range(len(passages))
        )
    return CitationScores(precise / given if given else 0.0, entailed / len(sentences))


def _is_needed(claim: str, passages: Sequence[Passage], at: int, entails: Entails) -> bool:
    others = [*passages[:at], *passages[at + 1 :]]
    return not others or entails(claim, [passages[at]]) or not entails(claim, others)
