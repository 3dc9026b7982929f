"""Judging evidence without a language model: does this excerpt answer that question?

Two logistic models over figures that any store and embedder can give: one ranks the excerpts of a
question, the other says how probably the best one answers it at all. Both were fitted on public
question sets (docs/measurements.md), so their probabilities, unlike retrieval scores, can be
compared between questions and collections.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bot.answering.excerpts import Excerpt, excerpts
from bot.answering.words import codes, content_words, stem, stems
from indexer.documents import Passage
from indexer.stores.base import Frequencies, Vectors

Embed = Callable[[Sequence[str]], Vectors]
CountWords = Callable[[Sequence[str]], Frequencies]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of one excerpt and one question; similarities are cosines, the rest 0..1.

    Coverage is the share of the question's words, weighted by their rarity among the documents
    its readers may see, that stand in the text. ``missing_codes`` is the share of the question's
    identifiers, such as INC-2291, that the passage does not hold.
    """

    excerpt_similarity: float
    passage_similarity: float
    excerpt_coverage: float
    passage_coverage: float
    missing_codes: float


@dataclass(frozen=True, slots=True)
class Weights:
    """A logistic model: one coefficient a figure."""

    bias: float
    excerpt_similarity: float
    passage_similarity: float
    excerpt_coverage: float
    passage_coverage: float
    missing_codes: float

    def probability(self, figures: Figures) -> float:
        total = (
            self.bias
            + self.excerpt_similarity * figures.excerpt_similarity
            + self.passage_similarity * figures.passage_similarity
            + self.excerpt_coverage * figures.excerpt_coverage
            + self.passage_coverage * figures.passage_coverage
            + self.missing_codes * figures.missing_codes
        )
        return 1 / (1 + math.exp(-total))


# Fitted, but for missing_codes: whoever asks about INC-2291 is not helped by another incident,
# and the public questions hold too few identifiers to learn it from.
RANKING = Weights(-7.89, 1.98, 3.87, 4.36, -0.97, -4.0)
ANSWERING = Weights(-5.64, 1.71, 4.63, 2.33, 0.46, -4.0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An excerpt with its rank among all of a question, and the probability that it answers it."""

    excerpt: Excerpt
    rank: float
    probability: float


class EvidenceJudge:
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
        evidence = [
            Evidence(
                piece, self._ranking.probability(figures), self._answering.probability(figures)
            )
            for piece, figures in zip(
                pieces, self.figures(question, pieces, count_words), strict=True
            )
        ]
        return sorted(evidence, key=lambda found: -found.rank)

    def figures(
        self, question: str, pieces: Sequence[Excerpt], count_words: CountWords
    ) -> list[Figures]:
        if not pieces:
            return []
        asked = content_words(question)
        rarity = _rarity(count_words(asked))
        wanted = codes(question)
        vectors = self._embed([question, *(piece.judged for piece in pieces)])
        similarities = vectors[1:] @ vectors[0]
        return [
            Figures(
                excerpt_similarity=float(np.clip(similarity, -1, 1)),
                passage_similarity=piece.passage.similarity,
                excerpt_coverage=_coverage(rarity, piece.judged),
                passage_coverage=_coverage(rarity, _everything(piece.passage)),
                missing_codes=_missing(wanted, _everything(piece.passage)),
            )
            for piece, similarity in zip(pieces, similarities, strict=True)
        ]


def _rarity(frequencies: Frequencies) -> dict[str, float]:
    """Inverse chunk frequency by stem; a word that stands nowhere is the rarest."""
    return {
        stem(word): math.log((frequencies.chunks + 1) / (containing + 0.5))
        for word, containing in frequencies.containing.items()
    }


def _coverage(rarity: dict[str, float], text: str) -> float:
    present = stems(text)
    total = sum(rarity.values())
    return sum(weight for word, weight in rarity.items() if word in present) / total if total else 0


def _missing(wanted: frozenset[str], text: str) -> float:
    return len(wanted - codes(text)) / len(wanted) if wanted else 0.0


def _everything(passage: Passage) -> str:
    return f"{passage.context}\n{passage.chunk.text}"
