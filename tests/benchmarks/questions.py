"""Questions with passages of a given length in tokens, of which no two begin alike."""

from __future__ import annotations

import random
from dataclasses import dataclass

from bot.domain.values import Message, Question
from bot.serving.model import LanguageModel
from indexer.documents import Audience, Chunk, Passage
from tests.benchmarks.generated import sentences

_PUBLIC = Audience.of("public")
_QUESTION_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Case:
    """What one answer is made from."""

    question: Question
    passages: tuple[Passage, ...]


class Cases:
    """Handbook sentences in random order, cut by the word; never the same case twice."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._overhead = model.count([Message("user", "")])
        self._chance = random.Random(31)
        self._pool = sentences()
        self._made = 0

    def case(self, passages: int, tokens: int) -> Case:
        """One more question, with ``passages`` passages of ``tokens`` tokens each."""
        self._made += 1
        question = Question(
            id=f"q{self._made}",
            text=f"{self._made}. {self.text(_QUESTION_TOKENS)}",
            audience=_PUBLIC,
        )
        return Case(question, tuple(self._passage(number, tokens) for number in range(passages)))

    def text(self, tokens: int) -> str:
        words: list[str] = []
        while self._count(words) < tokens:
            words += self._chance.choice(self._pool).split()
        while self._count(words) > tokens:
            words.pop()
        return " ".join(words)

    def _passage(self, number: int, tokens: int) -> Passage:
        chunk = Chunk(f"d{self._made}-{number}.md", 0, self.text(tokens))
        return Passage(chunk, "Handbook", _PUBLIC, score=1.0, similarity=0.5, lexical=0.5)

    def _count(self, words: list[str]) -> int:
        return self._model.count([Message("user", " ".join(words))]) - self._overhead
