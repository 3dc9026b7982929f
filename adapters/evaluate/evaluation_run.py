"""Everybody answers every question, everything is measured, and the differences are drawn up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from adapters.dataset.examples import Example
from adapters.evaluate.bootstrap import difference
from adapters.evaluate.comparison import Difference
from adapters.evaluate.contestants import ClosedBook, Contestant, WithDocuments, stream
from adapters.evaluate.held_out import HeldOut
from adapters.evaluate.judged_metrics import scores
from adapters.evaluate.judging import Judge
from adapters.evaluate.metrics import METRICS, token_f1
from adapters.evaluate.results import Ledger, Result, by_contestant
from adapters.runs.display import Display
from bot.answering.pipeline import Pipeline
from bot.domain.thresholds import Thresholds
from bot.domain.values import Question
from bot.serving.lending import FixedModels
from bot.serving.model import LanguageModel
from indexer.index import Index

CANDIDATE, SERVING, BASE = "candidate", "serving", "base"
ALONE = " alone"
Means = dict[str, dict[str, float]]
"""By contestant, then by metric."""


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """Who competes, and over what. Without a ``serving`` model the bot quotes; ``base`` is the
    model as it was before it learned, None where the serving model is that.

    The rest is as it serves: see ``Pipeline``.
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

    def contestants(self) -> list[Contestant]:
        """Each over the documents, and alone where there is a model."""
        found: list[Contestant] = []
        for name, model in self.models.items():
            found.append(WithDocuments(name, self._pipeline(model), has_model=model is not None))
            if model is not None:
                found.append(
                    ClosedBook(
                        name + ALONE, model, self.index, self.answer_tokens, self.answer_seconds
                    )
                )
        return found

    def warm_up(self, question: Question) -> None:
        """Load what answering loads once, which must be on nobody's account."""
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
    contestants: Sequence[Contestant],
    questions: Sequence[HeldOut],
    judge: Judge,
    index: Index,
    ledger: Ledger,
    display: Display,
) -> None:
    """Question by question, so that what slows the machine slows everybody alike, and each time
    another contestant first, for whom nothing is warm.
    """
    wanted = [
        (one, contestants[(place + turn) % len(contestants)])
        for place, one in enumerate(questions)
        for turn in range(len(contestants))
    ]
    with display.bar("Answering", len(wanted)) as bar:
        for done, (asked, who) in enumerate(wanted, start=1):
            if (who.name, asked.id) not in ledger:
                reply = who.reply(asked.question)
                ledger.add(
                    Result(
                        contestant=who.name,
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
    contest: EvaluationRun, examples: Sequence[Example], ledger: Ledger, display: Display
) -> None:
    """What is still known of general examples: each prompt continued, word overlap measured."""
    asked = [(one, name) for one in examples for name in contest.models]
    with display.bar("Remembering", len(asked)) as bar:
        for done, (example, name) in enumerate(asked, start=1):
            model, question_id = contest.models[name], f"general:{example.origin.exchange}"
            if model and (name, question_id) not in ledger:
                limits = contest.answer_tokens, contest.answer_seconds
                said = stream(model, example.messages, *limits)
                ledger.add(
                    Result(
                        contestant=name,
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


def compared(
    results: Sequence[Result], one: str, other: str, *, resamples: int, seed: int
) -> list[Difference]:
    """One contestant against another, in every metric that both have on a question."""
    found = by_contestant(results)
    ours, theirs = found.get(one, {}), found.get(other, {})
    differences = []
    for metric in METRICS:
        pairs = [
            (ours[name].scores[metric], theirs[name].scores[metric])
            for name in sorted(ours.keys() & theirs.keys())
            if metric in ours[name].scores and metric in theirs[name].scores
        ]
        if pairs:
            mine, others = zip(*pairs, strict=True)
            differences.append(difference(metric, mine, others, resamples=resamples, seed=seed))
    return differences


def means(results: Iterable[Result]) -> Means:
    """Of each metric over the questions it applies to, contestants in the order they answered."""
    found = by_contestant(list(results))
    return {
        name: {
            metric: sum(values) / len(values)
            for metric in METRICS
            if (values := [one.scores[metric] for one in each.values() if metric in one.scores])
        }
        for name, each in found.items()
    }
