"""One evaluation run: every system answers every question, and each answer is scored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.dataset.examples import Example
from adapters.evaluate.held_out import HeldOut
from adapters.evaluate.judging import Judge
from adapters.evaluate.metrics import token_f1
from adapters.evaluate.results import Ledger, Result
from adapters.evaluate.scoring import scores
from adapters.evaluate.systems import ClosedBook, OpenBook, System, stream
from adapters.runs.display import Display
from bot.answering.pipeline import Pipeline
from bot.domain.thresholds import Thresholds
from bot.domain.values import Question
from bot.serving.lending import FixedModels
from bot.serving.model import LanguageModel
from indexer.index import Index

CANDIDATE, SERVING, BASE = "candidate", "serving", "base"
CLOSED_BOOK = " alone"
"""Behind a model's name in results and manifests: without documents."""


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """The models to compare, and the index they answer from. Without a ``serving`` model the bot
    quotes; ``base`` is the model before any training, None where the serving model is that.

    ``answer_tokens``, ``answer_seconds`` and thresholds are those of serving: see ``Pipeline``.
    """

    index: Index
    candidate: LanguageModel
    serving: LanguageModel | None
    base: LanguageModel | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    answer_tokens: int = 600
    answer_seconds: float = 180.0

    @property
    def models(self) -> dict[str, LanguageModel | None]:
        named = {CANDIDATE: self.candidate, SERVING: self.serving}
        return named | ({BASE: self.base} if self.base else {})

    def systems(self) -> list[System]:
        """Per model one with the documents (open book) and, where there is a model, one without."""
        found: list[System] = []
        limits = self.answer_tokens, self.answer_seconds
        for name, model in self.models.items():
            found.append(OpenBook(name, self._pipeline(model), has_model=model is not None))
            if model is not None:
                found.append(ClosedBook(name + CLOSED_BOOK, model, self.index, *limits))
        return found

    def warm_up(self, question: Question) -> None:
        """Load what answering loads once, so that no system's time includes it."""
        self._pipeline(None).answer(question)

    def _pipeline(self, model: LanguageModel | None) -> Pipeline:
        return Pipeline(
            self.index,
            FixedModels(model),
            thresholds=self.thresholds,
            answer_tokens=self.answer_tokens,
            answer_seconds=self.answer_seconds,
        )


def ask_all(
    systems: Sequence[System],
    questions: Sequence[HeldOut],
    judge: Judge,
    index: Index,
    ledger: Ledger,
    display: Display,
) -> None:
    """Question by question, so that what slows the machine slows every system alike, and each time
    with another system first, which finds nothing warm.
    """
    wanted = [
        (one, systems[(place + turn) % len(systems)])
        for place, one in enumerate(questions)
        for turn in range(len(systems))
    ]
    with display.bar("Answering", len(wanted)) as bar:
        for done, (asked, system) in enumerate(wanted, start=1):
            if (system.name, asked.id) not in ledger:
                reply = system.reply(asked.question)
                ledger.add(
                    Result(
                        system=system.name,
                        question_id=asked.id,
                        question=asked.question.text,
                        reference=asked.reference,
                        text=reply.text,
                        refused=reply.refused,
                        cited=tuple(reply.cited[n].chunk.id for n in sorted(reply.cited)),
                        scores=scores(asked, reply, judge, index.embedding.embed),
                    )
                )
            bar.move(done)


def measure_forgetting(
    evaluation: EvaluationRun, examples: Sequence[Example], ledger: Ledger, display: Display
) -> None:
    """Answer general examples without documents and score them by token F1 (SQuAD): a candidate
    that falls behind has forgotten what it was not trained on (catastrophic forgetting).
    """
    asked = [(one, name) for one in examples for name in evaluation.models]
    with display.bar("Measuring forgetting", len(asked)) as bar:
        for done, (example, name) in enumerate(asked, start=1):
            model, question_id = evaluation.models[name], f"general:{example.origin.exchange}"
            if model and (name, question_id) not in ledger:
                limits = evaluation.answer_tokens, evaluation.answer_seconds
                said = stream(model, example.messages, *limits)
                ledger.add(
                    Result(
                        system=name,
                        question_id=question_id,
                        question=example.messages[-1].content,
                        reference=example.completion,
                        text=said.text,
                        refused=False,
                        cited=(),
                        scores={"general_f1": token_f1(said.text, example.completion)},
                    )
                )
            bar.move(done)


def index_identity(index: Index) -> str:
    """Changes whenever an answer might: with the documents, who may read them, the embedder."""
    rows = (
        f"{one.id}\0{one.digest}\0{' '.join(one.audience.sorted())}"
        for one in index.store.documents().values()
    )
    whole = "\n".join([index.embedding.identity, index.chunker.identity, *sorted(rows)])
    return hashlib.sha256(whole.encode()).hexdigest()


def model_identity(model: LanguageModel | None) -> str:
    """Which weights, through which adapter; "" for none."""
    return str(model.identity.fingerprint) if model else ""
