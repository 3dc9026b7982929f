"""Answering with a language model: only sentences that their sources support are ever shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.answering.cite import Numbering, marks, with_marks, without_marks
from bot.answering.excerpts import sentences
from bot.answering.words import content_words, identifiers, stems
from bot.domain import Citation, Question, Reflection
from bot.prompts import NOTHING_FOUND, answer_messages
from bot.serving.model import LanguageModel, Sampling
from indexer.documents import Passage
from indexer.stores.stems import stem

_LIST_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s")
_MARK_BEFORE_STOP = re.compile(r"\s*((?:\[[\d, ]+\]\s*)+)([.!?])(?=\s|$)")
_BEGUN_MARK = re.compile(r"\[[\d, ]*")
_LEADING_MARKS = re.compile(r"\s*(?:\[\d{1,2}(?:\s*,\s*\d{1,2})*\]\s*)+")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is left of a model's answer; ``text`` is empty where nothing was supported.

    ``refused`` says that the model itself found no answer in the passages.
    """

    text: str
    citations: tuple[Citation, ...]
    reflections: tuple[Reflection, ...]
    refused: bool = False


def generate(
    model: LanguageModel,
    question: Question,
    passages: Sequence[Passage],
    *,
    answer_tokens: int,
    support: float,
    show: Callable[[str], None],
) -> Draft:
    """Stream an answer, keep each sentence that the passages support, cite it, and show it.

    ``show`` is called with the whole supported text so far, so that nobody reads a sentence that
    is withdrawn later. ``support`` is the share of a sentence's words that must stand in what it
    cites. Raises ModelError.
    """
    fitting = _fitting(model, question, passages, answer_tokens)
    numbering = Numbering()
    kept: list[str] = []
    reflections: list[Reflection] = []
    pieces = model.stream(answer_messages(question, fitting), Sampling(max_tokens=answer_tokens))
    for sentence in _whole_sentences(pieces):
        if NOTHING_FOUND.lower() in sentence.lower():
            return Draft("", (), tuple(reflections), refused=True)
        cited, probability = _support(sentence, fitting)
        reflections.append(Reflection("supported", without_marks(sentence), probability))
        if probability >= support:
            numbers = sorted({numbering.number(passage) for passage in cited})
            kept.append(with_marks(sentence, numbers))
            show(_joined(kept))
    return Draft(_joined(kept), numbering.citations, tuple(reflections))


def _fitting(
    model: LanguageModel, question: Question, passages: Sequence[Passage], answer_tokens: int
) -> list[Passage]:
    """As many of the best passages as leave room for the answer; at least one."""
    fitting = list(passages)
    room = model.context_tokens - answer_tokens
    while len(fitting) > 1 and model.count(answer_messages(question, fitting)) > room:
        fitting.pop()
    return fitting


def _whole_sentences(pieces: Iterator[str]) -> Iterator[str]:
    """Sentences as soon as the next one has begun, so that trailing marks stay with theirs."""
    line, given = "", 0
    for piece in pieces:
        *complete, line = (line + piece).split("\n")
        for whole in complete:
            yield from _sentences(whole)[given:]
            given = 0
        begun = _sentences(line)
        finished = len(begun) - (2 if begun and _BEGUN_MARK.fullmatch(begun[-1]) else 1)
        yield from begun[given:finished]
        given = max(given, finished)
    yield from _sentences(line)[given:]


def _sentences(line: str) -> list[str]:
    """A list item is one sentence; ``One. [1] Two.`` gives the mark back to its sentence."""
    if _LIST_ITEM.match(line):
        return [line.strip()]
    joined: list[str] = []
    for sentence in sentences(_MARK_BEFORE_STOP.sub(r"\2 \1", line)):
        leading = _LEADING_MARKS.match(sentence)
        if joined and leading:
            joined[-1] += f" {leading[0].strip()}"
            sentence = sentence[leading.end() :]
        if sentence.strip():
            joined.append(sentence.strip())
    return joined


def _support(sentence: str, passages: Sequence[Passage]) -> tuple[list[Passage], float]:
    """The passages a sentence rests on, and how much of it they hold, in 0..1.

    A sentence is held to its own marks; without any, to the passage that holds most of it. A
    number or identifier that its passages do not hold makes the whole sentence unsupported.
    """
    cited = [passages[n - 1] for n in marks(sentence) if 1 <= n <= len(passages)]
    if cited:
        return cited, _held(sentence, cited)
    best = max(passages, key=lambda passage: _held(sentence, [passage]))
    return [best], _held(sentence, [best])


def _held(sentence: str, cited: Sequence[Passage]) -> float:
    claim = _LIST_ITEM.sub("", without_marks(sentence))
    text = "\n".join(f"{passage.context}\n{passage.chunk.text}" for passage in cited)
    if identifiers(claim) - identifiers(text):
        return 0.0
    claimed = {stem(word) for word in content_words(claim)}
    return len(claimed & stems(text)) / len(claimed) if claimed else 0.0


def _joined(kept: Sequence[str]) -> str:
    """Sentences as one paragraph, each list item on a line of its own."""
    text = ""
    for sentence in kept:
        separator = "\n" if _LIST_ITEM.match(sentence) else " "
        text += f"{separator}{sentence}" if text else sentence
    return text
