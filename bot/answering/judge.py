"""Without a language model: scores how probably an excerpt answers the question.

Two logistic models over figures that any store and embedder can give: one ranks the excerpts of a
question, the other says how probably an excerpt answers it. Both were fitted on public question
sets (docs/measurements.md), so their probabilities, unlike retrieval scores, can be compared
between questions and collections.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.answering.excerpts import Excerpt, excerpts
from bot.answering.words import acronyms, codes, content_words, stems, words
from indexer.documents import Passage, Vectors
from indexer.stores.base import Frequencies
from indexer.stores.terms import stem

Embed = Callable[[Sequence[str]], Vectors]
CountWords = Callable[[Sequence[str]], Frequencies]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of one excerpt and one question; similarities are cosines, the rest 0..1.

    Coverage is the share of the question's words, weighted by their rarity among the documents
    its readers may see, that stand in the text. ``held_names`` is the share of the question's
    codes and acronyms (INC-2291, VPN) that the passage holds, ``missing_codes`` the share of its
    codes that it does not.
    """

    excerpt_similarity: float
    passage_similarity: float
    excerpt_coverage: float
    passage_coverage: float
    held_names: float
    missing_codes: float


@dataclass(frozen=True, slots=True)
class Weights:
    """A logistic model: one coefficient a figure."""

    bias: float
    excerpt_similarity: float
    passage_similarity: float
    excerpt_coverage: float
    passage_coverage: float
    held_names: float
    missing_codes: float

    def log_odds(self, figures: Figures) -> float:
        return (
            self.bias
            + self.excerpt_similarity * figures.excerpt_similarity
            + self.passage_similarity * figures.passage_similarity
            + self.excerpt_coverage * figures.excerpt_coverage
            + self.passage_coverage * figures.passage_coverage
            + self.held_names * figures.held_names
            + self.missing_codes * figures.missing_codes
        )


# Fitted, but for names and codes: who asks about INC-2291 is helped by the page that holds it and
# by no other, and the public questions hold too few of them to learn that from.
RANKING = Weights(-7.89, 1.98, 3.87, 4.36, -0.97, 0.0, -4.0)
ANSWERING = Weights(-9.22, 14.07, 0.0, 0.0, 2.38, 3.0, -6.0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An excerpt judged for one question.

    ``probability``, in 0..1, that it answers it; ``rank`` orders all of a question's excerpts
    (the log-odds of both models together); ``vector`` of unit length says what it is about.
    """

    excerpt: Excerpt
    rank: float
    probability: float
    vector: Vectors


class AnswerabilityScorer:
    """Rates every excerpt of a question's passages. Safe from several threads."""

    def __init__(
        self, embed: Embed, ranking: Weights = RANKING, answering: Weights = ANSWERING
    ) -> None:
        self._embed = embed
        self._ranking = ranking
        self._answering = answering

    def judge(
        self, question: str, passages: Sequence[Passage], count_words: CountWords
    ) -> list[Evidence]:
        """Evidence from all passages, the best first; ties keep the passages' order."""
        pieces = [piece for passage in passages for piece in excerpts(passage)]
        if not pieces:
            return []
        vectors = self._embed([question, *(piece.judged for piece in pieces)])
        rarity = _rarity(count_words(content_words(question)))
        evidence = [
            self._evidence(piece, vector, _figures(question, piece, vector @ vectors[0], rarity))
            for piece, vector in zip(pieces, vectors[1:], strict=True)
        ]
        return sorted(evidence, key=lambda found: -found.rank)

    def _evidence(self, piece: Excerpt, vector: Vectors, figures: Figures) -> Evidence:
        answering = self._answering.log_odds(figures)
        rank = self._ranking.log_odds(figures) + answering
        return Evidence(piece, rank, 1 / (1 + math.exp(-answering)), vector)


def _figures(question: str, piece: Excerpt, similarity: float, rarity: dict[str, float]) -> Figures:
    passage = f"{piece.passage.context}\n{piece.passage.chunk.text}"
    present = stems(passage)
    wanted = codes(question)
    return Figures(
        excerpt_similarity=float(similarity),
        passage_similarity=piece.passage.similarity,
        excerpt_coverage=_coverage(rarity, stems(piece.judged)),
        passage_coverage=_coverage(rarity, present),
        held_names=_held(wanted | acronyms(question), present),
        missing_codes=len(wanted - codes(passage)) / len(wanted) if wanted else 0.0,
    )


def _rarity(frequencies: Frequencies) -> dict[str, float]:
    """Inverse chunk frequency by stem; a word that stands nowhere is the rarest."""
    return {
        stem(word): math.log((frequencies.chunks + 1) / (containing + 0.5))
        for word, containing in frequencies.containing.items()
    }


def _coverage(rarity: dict[str, float], present: frozenset[str]) -> float:
    total = sum(rarity.values())
    return sum(weight for word, weight in rarity.items() if word in present) / total if total else 0


def _held(names: frozenset[str], present: frozenset[str]) -> float:
    held = sum(all(stem(part) in present for part in words(name)) for name in names)
    return held / len(names) if names else 0.0
