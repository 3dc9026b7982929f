"""The classic exercise: 1,000 scientific abstracts, 20 questions, with retrieval and without.

Faithfulness is judged (judging.py); context precision rests on the documents that people judged
relevant, so it needs no judge. Without retrieval the model answers from memory, and what it says
is held against the abstracts that retrieval would have found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from adapters.evaluate.comparison import Difference
from adapters.evaluate.contestants import (
    ALONE_VERSION,
    ClosedBook,
    Contestant,
    Reply,
    WithDocuments,
)
from adapters.evaluate.evaluation_run import Means, compared, means
from adapters.evaluate.exercise_corpus import Exercise, ExerciseTable, choose, indexed
from adapters.evaluate.identities import model_identity
from adapters.evaluate.judging import PROMPTS_VERSION, Judge, LexicalJudge, ModelJudge, claims_of
from adapters.evaluate.metrics import context_precision, share
from adapters.evaluate.report import Report, write_report
from adapters.evaluate.results import Ledger, Result, write_results
from adapters.evaluate.verdict import Verdict, verdict
from adapters.runs.display import Display
from adapters.runs.manifest import Manifest, Run, run_stage
from bot.answering.pipeline import Pipeline
from bot.domain import prompts
from bot.domain.settings import Settings
from bot.domain.values import Question
from bot.serving.lending import FixedModels
from bot.serving.model import LanguageModel
from indexer.documents import PUBLIC, Audience
from indexer.index import Index

WITH, WITHOUT = "with retrieval", "without retrieval"
_EVERYBODY = Audience.of(PUBLIC)


def abstracts_exercise(
    corpus: Path,
    table: ExerciseTable,
    model: LanguageModel,
    settings: Settings,
    folder: Path,
    *,
    display: Display,
    judge: LanguageModel | None = None,
) -> Manifest:
    """Index the corpus, ask its questions, and write ``results`` and ``report`` into ``folder``.

    The metrics hold the means of both, ``faithfulness`` with its difference and interval.
    Raises ModelError of the judge and IndexerError.
    """
    judging = ModelJudge(judge) if judge else LexicalJudge(table.support)
    exercise = choose(corpus, table)

    def work(run: Run) -> None:
        with indexed(exercise, table, settings) as index:
            ledger = Ledger(run.scratch / "results.jsonl")
            _ask(exercise, _contestants(model, index, settings), judging, ledger, display)
            report = _report(exercise, table, ledger, judging, model, index)
        run.outputs["results"] = write_results(run.folder / "results.jsonl", ledger.results)
        run.outputs["report"] = write_report(run.folder / "report.html", report)
        run.metrics |= {
            "documents": len(exercise.documents),
            "questions": len(exercise.questions),
            "judge": judging.name,
            "verdict": report.verdict.sentence,
            "means": means(ledger.results),
            "differences": [asdict(each) for each in report.differences],
        }

    return run_stage(
        "exercise",
        folder,
        settings={
            "exercise": table.model_dump(mode="json"),
            "index": settings.index.model_dump(mode="json"),
            "model": settings.model.model_dump(mode="json", exclude={"api_key"}),
            "thresholds": settings.thresholds.model_dump(mode="json"),
        },
        inputs={
            "corpus": corpus / "corpus.jsonl",
            "questions": corpus / "queries.jsonl",
            "judgements": corpus / "qrels",
            "model": model_identity(model),
            "judge": model_identity(judge),
            "prompts": f"{prompts.VERSION} {ALONE_VERSION} {PROMPTS_VERSION}",
        },
        work=work,
    )


def _contestants(
    model: LanguageModel, index: Index, settings: Settings
) -> tuple[Contestant, Contestant]:
    pipeline = Pipeline(
        index,
        FixedModels(model),
        thresholds=settings.thresholds,
        answer_tokens=settings.model.answer_tokens,
        answer_seconds=settings.model.answer_seconds,
    )
    limits = settings.model.answer_tokens, settings.model.answer_seconds
    return WithDocuments(WITH, pipeline), ClosedBook(WITHOUT, model, index, *limits)


def _ask(
    exercise: Exercise,
    contestants: Sequence[Contestant],
    judge: Judge,
    ledger: Ledger,
    display: Display,
) -> None:
    wanted = [(question, who) for question in exercise.questions for who in contestants]
    with display.bar("Answering", len(wanted)) as bar:
        for done, (question, who) in enumerate(wanted, start=1):
            if (who.name, question) not in ledger:
                reply = who.reply(Question(question, exercise.questions[question], _EVERYBODY))
                ledger.add(_result(exercise, question, who.name, reply, judge))
            bar.move(done)


def _result(
    exercise: Exercise, question: str, contestant: str, reply: Reply, judge: Judge
) -> Result:
    relevant = exercise.relevant(question)
    found = {"seconds": reply.seconds, "wrong_refusal": float(reply.refused)}
    if reply.is_claim:
        supported = share(judge.supported(claims_of(reply.text), reply.evidence))
        found |= {} if supported is None else {"faithfulness": supported}
    if reply.retrieved is not None:
        judged = {document.id for document in relevant}
        helpful = [passage.chunk.document_id in judged for passage in reply.retrieved]
        found["context_precision"] = context_precision(helpful)
    return Result(
        contestant=contestant,
        question_id=question,
        question=exercise.questions[question],
        reference=f"From: {'; '.join(document.title for document in relevant)}",
        text=reply.text,
        refused=reply.refused,
        cited=tuple(reply.cited[number].chunk.id for number in sorted(reply.cited)),
        scores=found,
    )


def _report(
    exercise: Exercise,
    table: ExerciseTable,
    ledger: Ledger,
    judge: Judge,
    model: LanguageModel,
    index: Index,
) -> Report:
    differences = compared(
        ledger.results, WITH, WITHOUT, resamples=table.resamples, seed=table.seed
    )
    chunks = sum(one.chunks for one in index.store.documents().values())
    return Report(
        title="Scientific abstracts: with retrieval and without",
        one=WITH,
        other=WITHOUT,
        labels={WITH: "With retrieval", WITHOUT: "Without retrieval"},
        verdict=_verdict(means(ledger.results), differences),
        differences=differences,
        results=ledger.results,
        facts={
            "Documents": f"{len(exercise.documents):,} abstracts as {chunks:,} chunks of at most "
            f"{table.chunk_tokens} tokens, {table.overlap_tokens} of them shared with the next; "
            f"embedded by {index.embedding.identity}, which reads "
            f"{index.embedding.max_tokens} tokens of each.",
            "Questions": f"{len(exercise.questions)}, each with an abstract that people judged "
            "relevant; context precision counts those.",
            "Without retrieval": "The model answers from memory; its claims are held against the "
            "abstracts that retrieval would have found.",
            "Model": model.identity.name,
            "Judged by": judge.name,
            "Intervals": f"95 %, from {table.resamples:,} paired bootstrap resamples.",
        },
        examples_shown=len(exercise.questions),
    )


def _verdict(averages: Means, differences: Sequence[Difference]) -> Verdict:
    faithful = [each for each in differences if each.metric == "faithfulness"]
    told = {
        name: f"{each['faithfulness']:.0%} of the claims made"
        if "faithfulness" in each
        else "nothing, for nothing was claimed"
        for name, each in averages.items()
    }
    return Verdict(
        verdict(faithful, WITH, WITHOUT).outcome,
        f"With retrieval the abstracts support {told[WITH]}, without it {told[WITHOUT]}; "
        f"context precision is {averages[WITH]['context_precision']:.2f}.",
    )
