"""What the bot can help its reader with: sources, how fresh they are, and questions to try.

All of it is from what this reader may read: a source in which that is nothing is not named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from bot.answering.judge import AnswerabilityScorer
from bot.answering.languages import Language
from bot.answering.notes import Notes
from bot.answering.search import Search
from bot.answering.written import quoted
from bot.domain.thresholds import Thresholds
from bot.domain.values import Question
from indexer.documents import Passage
from indexer.index import Index

_SEEDS = ("How do I get it?", "What are the rules?", "Who is responsible, and when?")
_QUESTIONS, _TRIED = 3, 9
_TOPIC = re.compile(r"[\w][\w \-–—,.:;/()'’&+!?]{2,78}")


@dataclass(frozen=True, slots=True)
class Help:
    """``text`` is Markdown; ``passages`` are those whose titles and headings it shows."""

    text: str
    questions: tuple[str, ...]
    passages: tuple[Passage, ...]


class Guide:
    """Makes help from the index as it is. Safe from several threads."""

    def __init__(self, index: Index, scorer: AnswerabilityScorer, thresholds: Thresholds) -> None:
        self._index = index
        self._scorer = scorer
        self._thresholds = thresholds

    def help(self, question: Question, language: Language) -> Help:
        """For the readers, and from the sources, of ``question``. Raises IndexerError."""
        questions, passages = self.questions(question, language)
        parts = [language.help, *self._sources(question, language)]
        if questions:
            parts += ["", language.help_try, *(f"- {one}" for one in questions)]
        return Help("\n".join(parts), questions, passages)

    def questions(
        self, question: Question, language: Language
    ) -> tuple[tuple[str, ...], tuple[Passage, ...]]:
        """At most three that the documents answer, tried one by one, and what they are about."""
        asked: dict[str, Passage] = {}
        for tried, (text, passage) in enumerate(self._candidates(question, language)):
            if tried == _TRIED or len(asked) == _QUESTIONS:
                break
            if text not in asked and self._is_answered(replace(question, text=text), language):
                asked[text] = passage
        return tuple(asked), tuple(asked.values())

    def _candidates(self, question: Question, language: Language) -> Iterator[tuple[str, Passage]]:
        """One per document."""
        seen: set[str] = set()
        found = [
            self._search(replace(question, text=seed)).by_question().passages for seed in _SEEDS
        ]
        for passage in (one for row in zip_longest(*found) for one in row if one):
            if passage.chunk.document_id in seen:
                continue
            if text := _question_about(passage, language):
                seen.add(passage.chunk.document_id)
                yield text, passage

    def _is_answered(self, question: Question, language: Language) -> bool:
        found = self._search(question).by_question()
        return bool(quoted(found, self._thresholds, language).citations)

    def _search(self, question: Question) -> Search:
        return Search(self._index, self._scorer, question, Notes())

    def _sources(self, question: Question, language: Language) -> Iterable[str]:
        journal = self._index.journal.read()
        counts = Counter(
            document.source
            for document in self._index.store.documents().values()
            if document.audience.admits(question.audience)
            and (not question.sources or document.source in question.sources)
        )
        if not counts:
            yield f"- {language.help_nothing}"
        for name, count in sorted(counts.items()):
            entry = journal.get(name)
            fresh = entry is not None and not entry.failure
            age = (
                language.help_read.format(moment=f"{entry.finished:%Y-%m-%d %H:%M} UTC")
                if entry and fresh
                else language.help_stale
            )
            yield f"- **{name}** ({language.help_documents.format(count=count)}, {age})"


def _question_about(passage: Passage, language: Language) -> str:
    """A heading that asks, or a question about what a heading names; "" for a name that would not
    stand in a sentence.
    """
    heading = " ".join((passage.chunk.headers or (passage.title,))[-1].split())
    title = " ".join(passage.title.split())
    if not _TOPIC.fullmatch(heading) or not _TOPIC.fullmatch(title):
        return ""
    if heading.endswith("?"):
        return heading
    topic = heading if heading == title else f"{title}: {heading}"
    return language.help_question.format(topic=topic)
