"""Stage ``evaluate``: the candidate against the serving model, on questions neither has learned.

Both answer through the pipeline that serves, over the real index (open book); each answers
closed-book, too, and so does the base where it is another: base / base+RAG / tuned / tuned+RAG.
Outputs: ``results`` (one answer per line), ``comparison`` (for ``promote``) and ``report`` (a page
for people).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.errors import EvaluationError
from adapters.evaluate.comparison import Difference, compare, verdict, write_comparison
from adapters.evaluate.evaluation_run import (
    BASE,
    CANDIDATE,
    CLOSED_BOOK,
    SERVING,
    EvaluationRun,
    ask_all,
    index_identity,
    measure_forgetting,
    model_identity,
)
from adapters.evaluate.held_out import Questions, questions
from adapters.evaluate.judging import PROMPTS_VERSION, Judge, LexicalJudge, ModelJudge
from adapters.evaluate.report import Report, write_report
from adapters.evaluate.results import Ledger, means, write_results
from adapters.evaluate.systems import CLOSED_BOOK_VERSION
from adapters.runs.display import Display
from adapters.runs.manifest import Manifest, Run, run_stage
from adapters.settings import EvaluateTable
from bot.domain import prompts
from bot.serving.model import LanguageModel

_SPEED = "tokens_per_second"


def evaluate(
    table: EvaluateTable,
    evaluation: EvaluationRun,
    dataset: Manifest,
    folder: Path,
    *,
    display: Display,
    judge: LanguageModel | None = None,
) -> Manifest:
    """Compare on the held-out part of a dataset, and on golden questions.

    The metrics hold ``<metric>.candidate``, ``.serving``, ``.difference``, ``.low``, ``.high``,
    ``.p_no_gain`` and ``.count`` for each metric, and ``means`` by system. A killed run goes
    on behind the last answer. Raises EvaluationError where there are too few questions, ModelError
    of the judge, IndexerError.
    """
    asked = questions(dataset, table.golden, table.general_examples)
    _check_enough(asked, table)
    judging = ModelJudge(judge) if judge else LexicalJudge(table.support)

    def work(run: Run) -> None:
        ledger = Ledger(run.scratch / "results.jsonl")
        evaluation.warm_up(asked.asked[0].question)
        ask_all(evaluation.systems(), asked.asked, judging, evaluation.index, ledger, display)
        measure_forgetting(evaluation, asked.general, ledger, display)
        differences = _differences(ledger, table)
        run.outputs["results"] = write_results(run.folder / "results.jsonl", ledger.results)
        run.outputs["comparison"] = run.folder / "comparison.json"
        write_comparison(run.outputs["comparison"], differences)
        report = _report(evaluation, asked, judging, ledger, differences, table)
        run.outputs["report"] = write_report(run.folder / "report.html", report)
        run.metrics |= _figures(asked, judging, differences) | {"means": means(ledger.results)}
        run.metrics["verdict"] = report.verdict.sentence

    settings = {
        "evaluate": table.model_dump(mode="json"),
        "thresholds": evaluation.thresholds.model_dump(mode="json"),
        "answer_tokens": evaluation.answer_tokens,
        "answer_seconds": evaluation.answer_seconds,
    }
    return run_stage(
        "evaluate",
        folder,
        settings=settings,
        inputs=_inputs(table, evaluation, dataset, judge),
        work=work,
    )


def labels(evaluation: EvaluationRun) -> dict[str, str]:
    """How a report names the systems."""
    titles = {CANDIDATE: "Candidate", SERVING: "Serving model", BASE: "Base model"}
    titles |= {name + CLOSED_BOOK: f"{title}, closed-book" for name, title in titles.items()}
    return {one.name: titles[one.name] for one in evaluation.systems()}


def _inputs(
    table: EvaluateTable, evaluation: EvaluationRun, dataset: Manifest, judge: LanguageModel | None
) -> dict[str, Path | str]:
    return {
        "candidate": model_identity(evaluation.candidate),
        "serving": model_identity(evaluation.serving),
        "base": model_identity(evaluation.base),
        "judge": model_identity(judge),
        "held_out": dataset.output("held_out"),
        "validation": dataset.output("validation"),
        "train": dataset.output("train"),
        "golden": table.golden or "",
        "index": index_identity(evaluation.index),
        "prompts": f"{prompts.VERSION} {CLOSED_BOOK_VERSION} {PROMPTS_VERSION}",
    }


def _check_enough(asked: Questions, table: EvaluateTable) -> None:
    if asked.answerable < table.min_questions:
        raise EvaluationError(
            f"There are {asked.answerable} held-out questions with an answer, fewer than "
            f"{table.min_questions}: collect more votes and corrections, name golden questions "
            "in [adapters.evaluate] golden, or lower min_questions and trust the result less."
        )


def _differences(ledger: Ledger, table: EvaluateTable) -> list[Difference]:
    """Open book, but for the speed of generation, which is measured closed-book."""
    chance = {"resamples": table.resamples, "seed": table.seed}
    served = compare(ledger.results, CANDIDATE, SERVING, **chance)
    closed = compare(ledger.results, CANDIDATE + CLOSED_BOOK, SERVING + CLOSED_BOOK, **chance)
    return [*served, *(each for each in closed if each.metric == _SPEED)]


def _figures(asked: Questions, judge: Judge, differences: Sequence[Difference]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "questions": len(asked.asked),
        "answerable": asked.answerable,
        "general_examples": len(asked.general),
        "left_out_as_trained_on": asked.repeated,
        "judge": judge.name,
    }
    for each in differences:
        for name in ("candidate", "serving", "difference", "low", "high", "p_no_gain", "count"):
            figures[f"{each.metric}.{name}"] = getattr(each, name)
    return figures


def _report(
    evaluation: EvaluationRun,
    asked: Questions,
    judge: Judge,
    ledger: Ledger,
    differences: Sequence[Difference],
    table: EvaluateTable,
) -> Report:
    serving = "the serving model" if evaluation.serving else "quoting without a model"
    facts = {
        "Questions": f"{len(asked.asked)} held out: {asked.answerable} with an answer in the "
        f"documents, {len(asked.asked) - asked.answerable} without. No thread or question of "
        "theirs was trained on"
        f"{f', {asked.repeated} golden ones that had been are left out' * bool(asked.repeated)}.",
        "General examples": f"{len(asked.general)}, to measure forgetting.",
        "Judged by": judge.name,
        "Intervals": f"95 %, from {table.resamples:,} paired bootstrap resamples of the questions.",
        **{
            name.capitalize(): f"{model.identity.name} {model.identity.adapter}".strip()
            if model
            else "none: the bot quotes its documents"
            for name, model in evaluation.models.items()
        },
        "Index": f"{len(evaluation.index.store.documents()):,} documents, "
        f"{evaluation.index.embedding.identity}",
    }
    return Report(
        title="Is the new model better?",
        one=CANDIDATE,
        other=SERVING,
        labels=labels(evaluation),
        verdict=verdict(differences, "The candidate", serving),
        differences=differences,
        results=ledger.results,
        facts=facts,
        examples_shown=table.examples_shown,
    )
