"""The way from a question to an answer, in one place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.answering.conversation import wants_documents
from bot.answering.follow_up import standing_alone
from bot.answering.help import Guide
from bot.answering.judge import AnswerabilityScorer
from bot.answering.languages import ENGLISH, Language, language_named, language_of
from bot.answering.notes import Notes
from bot.answering.reader import SelfRagAnswerer
from bot.answering.route import route, wants_help
from bot.answering.search import Found, Search
from bot.answering.written import Written, quoted, small_talk, stopped
from bot.domain import prompts
from bot.domain.errors import Cancelled, DeadlineExceeded, ModelError
from bot.domain.thresholds import Thresholds
from bot.domain.values import Answer, Ending, Question, Route, Stage, Versions, distinct_documents
from bot.serving.lending import Models
from bot.serving.model import Cancellation, LanguageModel
from bot.telemetry.counters import MODEL_FAILURES
from indexer.documents import CutDocument, Document, Passage
from indexer.index import Index

_log = logging.getLogger(__name__)

Show = Callable[[str], None]
Progress = Callable[[Stage, Sequence[Passage]], None]
_NEAREST = 3


def no_progress(stage: Stage, passages: Sequence[Passage]) -> None:
    """For those who only want the answer."""


@dataclass(frozen=True, slots=True)
class _Work:
    """One question, and what shows or stops its answer."""

    question: Question
    show: Show
    cancellation: Cancellation
    progress: Progress
    attachments: Sequence[Document | CutDocument]

    @property
    def language(self) -> Language:
        wanted = language_named(self.question.language)
        language = wanted or language_of(self.question.text)
        if not self.question.audience.is_of_one_person:
            return language
        return replace(language, not_found=language.not_found_alone)

    def enter(self, stage: Stage, passages: Sequence[Passage] = ()) -> None:
        """Tell of a stage; raises Cancelled where the question was stopped."""
        if self.cancellation.stopped:
            raise Cancelled("This question was stopped.")
        self.progress(stage, passages)


class Pipeline:
    """Answers questions. Safe from several threads; holds no state between questions."""

    def __init__(
        self,
        index: Index,
        models: Models,
        *,
        thresholds: Thresholds | None = None,
        answer_tokens: int = 600,
        answer_seconds: float = 180.0,
    ) -> None:
        self._index = index
        self._models = models
        self._scorer = AnswerabilityScorer(index.embedding.embed)
        self._thresholds = thresholds or Thresholds()
        self._guide = Guide(index, self._scorer, self._thresholds)
        self._answer_tokens = answer_tokens
        self._answer_seconds = answer_seconds

    def new_cancellation(self) -> Cancellation:
        """One that ends an answer when it takes longer than it may."""
        return Cancellation.after(self._answer_seconds)

    def answer(
        self,
        question: Question,
        show: Show = lambda text: None,
        cancellation: Cancellation | None = None,
        *,
        progress: Progress = no_progress,
        attachments: Sequence[Document | CutDocument] = (),
    ) -> Answer:
        """Answer for the readers that the question names, or say that nothing was found.

        ``show`` receives the answer so far while it is written: only text that is already
        supported by its citations. ``progress`` hears of each stage and the passages it is about,
        all of them for the question's readers. ``attachments`` are searched besides, for this
        question only. Where the model fails, or takes longer than it may, the documents are
        quoted. Raises LorebotError or IndexerError.
        """
        cancellation = cancellation or self.new_cancellation()
        work = _Work(question, show, cancellation, progress, attachments)
        with self._models.lease(
            question_id=question.id, channel=question.channel, thread=question.thread
        ) as model:
            try:
                try:
                    return self._answered(work, model)
                except ModelError as error:
                    if isinstance(error, Cancelled) and not isinstance(error, DeadlineExceeded):
                        raise
                    _log.warning("The language model failed; answering by quoting: %s", error)
                    MODEL_FAILURES.labels(type(error).__name__).inc()
                    return self._answered(work, None)
            except Cancelled:
                return self._finish(question, model, stopped(work.language), Notes())

    def stopped(self, question: Question) -> Answer:
        """The answer to a question that was stopped before it came here."""
        language = language_named(question.language) or language_of(question.text)
        return self._finish(question, None, stopped(language), Notes())

    def _answered(self, work: _Work, model: LanguageModel | None) -> Answer:
        """Route, retrieve, judge, generate, judge again, cite; without a model, quote."""
        notes, language = Notes(), work.language
        question, cancellation = work.question, work.cancellation
        with notes.measure("route"):
            if self._route(question, model, notes, cancellation) is Route.SMALL_TALK:
                if wants_help(question.text):
                    return self._help(question, model, language, notes)
                written = small_talk(language, question.text)
                return self._finish(question, model, written, notes)
        with notes.measure("condense"):
            asked = standing_alone(question, model, cancellation)
        work.enter(Stage.SEARCH)
        search = Search(self._index, self._scorer, asked, notes, work.attachments, cancellation)
        found = search.by_question()
        work.enter(Stage.READ, found.passages)
        if model is None:
            written = quoted(found, self._thresholds, language)
            return self._finish(question, model, written, notes, asked, found)

        reader = SelfRagAnswerer(
            model, asked, language, self._thresholds, self._answer_tokens, notes, cancellation
        )
        hypothesis = search.may_hypothesise
        if hypothesis and found.best < self._thresholds.hypothesis:
            found, hypothesis = search.by_hypothesis(found, model, cancellation), False
        with notes.measure("judge"):
            reading = reader.read(found)
        if hypothesis and not (reading and reading.relevant):
            found = search.by_hypothesis(found, model, cancellation)
            with notes.measure("judge"):
                reading = reader.read(found)
        work.enter(Stage.WRITE)
        with notes.measure("write"):
            written = reader.write(reading, found, work.show)
        return self._finish(question, model, written, notes, asked, found)

    def suggestions(self, question: Question) -> tuple[str, ...]:
        """How to ask for help, and at most three questions that the documents answer, for the
        readers of ``question``. Raises IndexerError.
        """
        language = language_named(question.language) or ENGLISH
        return (language.help_asked, *self._guide.questions(question, language)[0])

    def _help(
        self, question: Question, model: LanguageModel | None, language: Language, notes: Notes
    ) -> Answer:
        with notes.measure("help"):
            told = self._guide.help(question, language)
        written = Written(told.text, Ending.SMALL_TALK)
        found = Found(told.passages, ())  # kept with the answer, which goes when they are forgotten
        return self._finish(question, model, written, notes, found=found)

    def _route(
        self,
        question: Question,
        model: LanguageModel | None,
        notes: Notes,
        cancellation: Cancellation,
    ) -> Route:
        """By features; the model is asked on doubt, and "retrieve" is right when it is unsure."""
        certain = route(question.text)
        if certain or model is None:
            return certain or Route.RETRIEVE
        probability = wants_documents(model, question, cancellation)
        notes.reflect("retrieve", "", probability)
        wanted = probability >= self._thresholds.retrieve
        return Route.RETRIEVE if wanted else Route.SMALL_TALK

    def _finish(
        self,
        question: Question,
        model: LanguageModel | None,
        written: Written,
        notes: Notes,
        asked: Question | None = None,
        found: Found | None = None,
    ) -> Answer:
        identity = model.identity if model else None
        passages = found.passages if found else ()
        offers_nearest = not written.citations and written.ending is not Ending.SMALL_TALK
        return Answer(
            question,
            written.text,
            written.ending,
            Versions(
                prompt=prompts.VERSION,
                model=str(identity.label) if identity else "",
                adapter=identity.adapter if identity else "",
                embedder=self._index.embedding.identity,
            ),
            citations=written.citations,
            passages=passages,
            nearest=distinct_documents(passages)[:_NEAREST] if offers_nearest else (),
            reflections=(*(found.reflections if found else ()), *notes.reflections),
            searched=asked.text if asked and asked.text != question.text else "",
            seconds=notes.seconds,
        )
