"""The systems under test: a model over the documents as it serves (open book), or closed-book."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.answering.languages import language_named, language_of
from bot.answering.pipeline import Pipeline
from bot.domain.errors import ModelError
from bot.domain.prompts import NOTHING_FOUND
from bot.domain.values import Answer, Ending, Message, Question
from bot.serving.model import Cancellation, LanguageModel, Sampling
from indexer.documents import Passage
from indexer.index import Index

_log = logging.getLogger(__name__)

CLOSED_BOOK_VERSION = "2026-11-20.1"
_CLOSED_BOOK = f"""\
Answer the question in the language it is asked in. Be brief: at most a few sentences. If you do \
not know the answer, write exactly: {NOTHING_FOUND}"""

MIN_SECONDS = 0.1
"""Of generation, for a speed to be told. A model of a few million parameters has written an answer
before another thread has read its first piece: the rest then seems to take no time at all.
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered. ``evidence`` are the passages that it is held against, ``retrieved``
    those that it was made from, None where nothing was retrieved; ``cited`` maps ``[n]``.

    ``is_claim`` says that it answers something; ``failed``, that the model did not come to an
    end and something else was said in its place.
    """

    text: str
    seconds: float
    evidence: Sequence[Passage] = ()
    retrieved: Sequence[Passage] | None = None
    cited: Mapping[int, Passage] = field(default_factory=dict)
    refused: bool = False
    is_claim: bool = True
    failed: bool = False
    tokens_per_second: float | None = None


class System(Protocol):
    """Whatever answers questions and is to be measured."""

    @property
    def name(self) -> str: ...

    def reply(self, question: Question) -> Reply:
        """Raises IndexerError."""
        ...


@dataclass(frozen=True, slots=True)
class OpenBook:
    """The pipeline that serves; without a model (``has_model`` false) it quotes."""

    name: str
    pipeline: Pipeline
    has_model: bool = True

    def reply(self, question: Question) -> Reply:
        began = time.perf_counter()
        answer = self.pipeline.answer(question)
        seconds = time.perf_counter() - began
        return Reply(
            text=own_words(answer),
            seconds=seconds,
            evidence=answer.passages,
            retrieved=answer.passages,
            cited={citation.number: citation.passage for citation in answer.citations},
            refused=answer.ending is Ending.NOT_FOUND,
            is_claim=answer.ending in (Ending.GENERATED, Ending.QUOTED),
            failed=self.has_model and not answer.versions.model,
        )


@dataclass(frozen=True, slots=True)
class ClosedBook:
    """The model without documents: closed-book question answering (Roberts et al. 2020,
    arXiv:2002.08910). Its claims are held against the passages that retrieval would have found:
    how far what it has learned agrees with them.
    """

    name: str
    model: LanguageModel
    index: Index
    answer_tokens: int
    answer_seconds: float

    def reply(self, question: Question) -> Reply:
        prompt = [Message("system", _CLOSED_BOOK), Message("user", question.text)]
        said = stream(self.model, prompt, self.answer_tokens, self.answer_seconds)
        refused = not said.text or NOTHING_FOUND.lower() in said.text.lower()
        return Reply(
            text=said.text,
            seconds=said.seconds,
            evidence=self.index.retriever(question.audience).passages(question.text),
            refused=refused,
            is_claim=not refused,
            failed=said.failed,
            tokens_per_second=said.tokens_per_second,
        )


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a model wrote; ``tokens_per_second`` counts from the first piece, None where there was
    only one, or too little time to measure. ``failed`` where it came to no end.
    """

    text: str
    seconds: float
    tokens_per_second: float | None
    failed: bool


def stream(model: LanguageModel, prompt: Sequence[Message], tokens: int, limit: float) -> Streamed:
    """Greedy, for at most ``limit`` seconds; of a model that fails, what it wrote until then."""
    began = time.perf_counter()
    first, pieces, failed = began, list[str](), False
    try:
        for piece in model.stream(prompt, Sampling(max_tokens=tokens), Cancellation.after(limit)):
            if not pieces:
                first = time.perf_counter()
            pieces.append(piece)
    except ModelError as error:
        _log.warning("%s failed while it was measured: %s", model.identity.name, error)
        failed = True
    ended = time.perf_counter()
    text = "".join(pieces).strip()
    return Streamed(text, ended - began, _speed(model, text, ended - first), failed)


def own_words(answer: Answer) -> str:
    """Without the lines that the bot adds by itself: which sources disagree, why it stopped."""
    question = answer.question
    language = language_named(question.language) or language_of(question.text)
    added = (language.disagree, language.cut_short, language.stopped)
    lines = answer.text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(added)).strip()


def _speed(model: LanguageModel, text: str, seconds: float) -> float | None:
    empty, whole = (model.count([Message("assistant", said)]) for said in ("", text))
    written = whole - empty - 1
    return written / seconds if written > 0 and seconds >= MIN_SECONDS else None
