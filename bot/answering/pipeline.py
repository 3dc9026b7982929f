"""The way from a question to an answer, in one place."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bot import prompts
from bot.answering.generate import Draft, generate
from bot.answering.judge import Evidence, EvidenceJudge
from bot.answering.quote import QuoteLimits, quote
from bot.answering.route import route
from bot.domain import (
    Answer,
    Citation,
    Ending,
    Question,
    Reflection,
    Route,
    Versions,
    distinct_documents,
)
from bot.errors import ModelError
from bot.serving.model import LanguageModel
from indexer.documents import Passage
from indexer.library import Library

_log = logging.getLogger(__name__)

Show = Callable[[str], None]

_GREETING = (
    "Hello! Ask me anything that your team's documents may answer, for instance "
    "“How do I get access to …?” I answer with numbered sources."
)
_NOT_FOUND = "I could not find this in the documents that everyone here may read."
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Every number that decides, in one table.

    ``relevant``: probability from which a passage is shown to the language model. ``supported``:
    share in 0..1 of a generated sentence's words that its citations must hold.
    """

    quote: QuoteLimits = field(default_factory=QuoteLimits)
    relevant: float = 0.1
    supported: float = 0.6


class Pipeline:
    """Answers questions. Safe from several threads; holds no state between questions."""

    def __init__(
        self,
        library: Library,
        model: LanguageModel | None = None,
        *,
        thresholds: Thresholds | None = None,
        answer_tokens: int = 600,
    ) -> None:
        self._library = library
        self._model = model
        self._judge = EvidenceJudge(library.embedding.embed)
        self._thresholds = thresholds or Thresholds()
        self._answer_tokens = answer_tokens

    def answer(self, question: Question, show: Show = lambda text: None) -> Answer:
        """Route, retrieve, judge, generate or quote, and cite.

        ``show`` receives the answer so far while it is written: only text that is already
        supported by its citations. Raises LorebotError or IndexerError.
        """
        if route(question.text) is Route.SMALL_TALK:
            return self._finish(question, _Written(_GREETING, Ending.SMALL_TALK))

        watch = _Stopwatch()
        with watch.measure("retrieve"):
            retriever = self._library.retriever(question.audience)
            passages = retriever.passages(question.text)
        with watch.measure("judge"):
            evidence = self._judge.judge(question.text, passages, retriever.frequencies)
        with watch.measure("write"):
            written = self._write(question, evidence, show)
        return self._finish(
            question,
            written,
            passages=tuple(passages),
            nearest=() if written.citations else distinct_documents(passages)[:_NEAREST],
            reflections=(*_relevance(evidence), *written.reflections),
            seconds=watch.seconds,
        )

    def _write(self, question: Question, evidence: Sequence[Evidence], show: Show) -> _Written:
        """The model's words where they are supported, else the documents' own, else neither."""
        draft = self._draft(question, evidence, show)
        if draft and draft.text:
            return _Written(draft.text, Ending.GENERATED, draft.citations, draft.reflections)
        reflections = draft.reflections if draft else ()
        if not (draft and draft.refused):
            text, citations = quote(evidence, self._thresholds.quote)
            if text:
                return _Written(text, Ending.QUOTED, citations, reflections)
        return _Written(_NOT_FOUND, Ending.NOT_FOUND, reflections=reflections)

    def _draft(self, question: Question, evidence: Sequence[Evidence], show: Show) -> Draft | None:
        relevant = _passages_above(self._thresholds.relevant, evidence)
        if self._model is None or not relevant:
            return None
        try:
            return generate(
                self._model,
                question,
                relevant,
                answer_tokens=self._answer_tokens,
                support=self._thresholds.supported,
                show=show,
            )
        except ModelError:
            _log.warning("The language model failed; answering by quoting.", exc_info=True)
            return None

    def _finish(self, question: Question, written: _Written, **found: Any) -> Answer:
        identity = self._model.identity if self._model else None
        versions = Versions(
            prompt=prompts.VERSION,
            model=f"{identity.name}@{identity.sha256[:12]}" if identity else "",
            adapter=identity.adapter if identity else "",
            embedder=self._library.embedding.identity,
        )
        return Answer(
            question, written.text, written.ending, versions, citations=written.citations, **found
        )


@dataclass(frozen=True, slots=True)
class _Written:
    text: str
    ending: Ending
    citations: tuple[Citation, ...] = ()
    reflections: tuple[Reflection, ...] = ()


def _passages_above(threshold: float, evidence: Sequence[Evidence]) -> list[Passage]:
    """Passages with at least one excerpt that reaches the threshold, best first."""
    found = {
        e.excerpt.passage.chunk.id: e.excerpt.passage
        for e in evidence
        if e.probability >= threshold
    }
    return list(found.values())


def _relevance(evidence: Sequence[Evidence]) -> tuple[Reflection, ...]:
    """A passage is as relevant as its best excerpt."""
    best: dict[str, float] = {}
    for found in evidence:
        chunk = found.excerpt.passage.chunk.id
        best[chunk] = max(found.probability, best.get(chunk, 0.0))
    return tuple(Reflection("relevant", chunk, probability) for chunk, probability in best.items())


class _Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 4)
