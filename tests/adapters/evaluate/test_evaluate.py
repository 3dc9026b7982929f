"""Planted better and worse models are recognised through the real pipeline and a real index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.errors import EvaluationError
from adapters.evaluate.comparison import Difference, read_comparison
from adapters.evaluate.evaluate import evaluate
from adapters.evaluate.evaluation_run import EvaluationRun
from adapters.evaluate.results import read_results
from adapters.runs.display import Silent
from adapters.runs.manifest import Manifest, Status, load
from adapters.settings import EvaluateTable
from bot.domain.errors import ModelError
from bot.serving.llama_cpp.engine import LlamaEngine
from bot.serving.model import LanguageModel
from indexer.index import Index
from tests.adapters.evaluate.contest import (
    GENERAL,
    QUESTIONS,
    Planted,
    bad,
    good,
    team_dataset,
    team_library,
)
from tests.services.scripted_model import ScriptedModel

TABLE = EvaluateTable(resamples=2000)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Index]:
    with team_library(tmp_path_factory.mktemp("team"), cache_dir) as index:
        yield index


def compare(
    index: Index,
    folder: Path,
    candidate: LanguageModel,
    serving: LanguageModel | None,
    table: EvaluateTable = TABLE,
) -> Manifest:
    contest = EvaluationRun(index, candidate, serving)
    examples = team_dataset(folder / "dataset")
    return evaluate(table, contest, examples, folder / "evaluate", display=Silent())


def by_metric(manifest: Manifest) -> dict[str, Difference]:
    return {one.metric: one for one in read_comparison(manifest.output("comparison"))}


def test_a_better_candidate_is_recognised(index: Index, tmp_path: Path) -> None:
    manifest = compare(index, tmp_path, Planted("new", good), Planted("old", bad))
    found = by_metric(manifest)
    assert found["em"].candidate == 1.0
    assert found["em"].serving == 0.0
    assert found["f1"].is_better
    assert found["answer_relevancy"].difference > 0
    assert found["correct_refusal"].difference == 1.0
    assert found["general_f1"].difference == 1.0
    assert found["faithfulness"].candidate == 1.0
    assert found["citation_recall"].candidate == found["citation_precision"].candidate == 1.0
    assert found["context_recall"].candidate == 1.0
    assert found["context_precision"].candidate > 0.9
    assert manifest.metrics["em.low"] == found["em"].low == 1.0
    assert manifest.metrics["questions"] == len(QUESTIONS) + 1
    assert manifest.metrics["verdict"].startswith("The candidate is better")


def test_a_worse_candidate_is_recognised(index: Index, tmp_path: Path) -> None:
    manifest = compare(index, tmp_path, Planted("new", bad), Planted("old", good))
    assert by_metric(manifest)["f1"].is_worse
    assert "worse" in manifest.metrics["verdict"]


def test_the_same_model_twice_differs_in_no_answer(index: Index, tmp_path: Path) -> None:
    manifest = compare(index, tmp_path, Planted("new", good), Planted("old", good))
    found = by_metric(manifest)
    assert found["f1"].low == found["f1"].high == 0.0
    assert "No difference" in manifest.metrics["verdict"]


def test_with_and_without_documents_stand_side_by_side(index: Index, tmp_path: Path) -> None:
    manifest = compare(index, tmp_path, Planted("new", good), Planted("old", bad))
    means = manifest.metrics["means"]
    assert list(means) == ["candidate", "candidate alone", "serving", "serving alone"]
    assert means["candidate alone"]["wrong_refusal"] == 1.0
    assert means["serving alone"]["faithfulness"] == 0.0
    assert "context_precision" not in means["candidate alone"]


def test_where_no_model_serves_the_candidate_is_held_against_quoting(
    index: Index, tmp_path: Path
) -> None:
    manifest = compare(index, tmp_path, Planted("new", good), None)
    assert manifest.inputs["serving"] == ""
    assert list(manifest.metrics["means"]) == ["candidate", "candidate alone", "serving"]
    assert by_metric(manifest)["f1"].serving > 0.5


def test_every_answer_is_kept_and_the_report_shows_it(index: Index, tmp_path: Path) -> None:
    manifest = compare(index, tmp_path, Planted("new", good), Planted("old", bad))
    results = read_results(manifest.output("results"))
    assert len(results) == 4 * (len(QUESTIONS) + 1) + 2
    assert {one.question for one in results} > {GENERAL, *QUESTIONS.values()}
    page = manifest.output("report").read_text()
    assert manifest.metrics["verdict"] in page
    assert QUESTIONS["meals"] in page


def test_a_killed_run_goes_on_behind_the_last_answer(index: Index, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    asked: list[str] = []

    def counted(question: str, passages: dict[int, str]) -> str:
        asked.append(question)
        return good(question, passages)

    def killed(question: str, passages: dict[int, str]) -> str:
        if len(asked) == 7:
            raise Killed
        return counted(question, passages)

    whole = compare(index, tmp_path / "whole", Planted("new", counted), Planted("old", bad))
    answers = len(asked)
    asked.clear()
    with pytest.raises(Killed):
        compare(index, tmp_path, Planted("new", killed), Planted("old", bad))
    assert load(tmp_path / "evaluate").status is Status.FAILED
    resumed = compare(index, tmp_path, Planted("new", counted), Planted("old", bad))
    assert len(asked) == answers
    found = by_metric(resumed)
    for metric, one in by_metric(whole).items():
        assert found[metric] == one or metric in ("seconds", "tokens_per_second")


def test_what_has_been_compared_is_not_compared_again(index: Index, tmp_path: Path) -> None:
    first = compare(index, tmp_path, Planted("new", good), Planted("old", bad))
    assert compare(index, tmp_path, Planted("new", good), Planted("old", bad)).run == first.run
    other = compare(index, tmp_path, Planted("newer", good), Planted("old", bad))
    assert other.run != first.run


def test_too_few_questions_are_refused_before_anything_is_asked(
    index: Index, tmp_path: Path
) -> None:
    table = TABLE.model_copy(update={"min_questions": 11})
    with pytest.raises(EvaluationError, match=r"There are 10 held-out questions .* fewer than 11"):
        compare(index, tmp_path, Planted("new", good), None, table)
    assert not (tmp_path / "evaluate").exists()


def test_golden_questions_like_those_trained_on_are_left_out(index: Index, tmp_path: Path) -> None:
    lines = [
        {"question": "Who?", "answer": "We."},
        {"question": "May colour printouts be made without a cost centre?", "answer": ""},
    ]
    golden = tmp_path / "golden.jsonl"
    golden.write_text("\n".join(json.dumps(line) for line in lines))
    table = TABLE.model_copy(update={"golden": golden})
    manifest = compare(index, tmp_path, Planted("new", good), Planted("old", bad), table)
    assert manifest.metrics["left_out_as_trained_on"] == 1
    assert manifest.metrics["questions"] == len(QUESTIONS) + 2


def test_a_model_that_fails_is_counted_as_failing(index: Index, tmp_path: Path) -> None:
    failing = ScriptedModel(ModelError("The language model failed."))
    manifest = compare(index, tmp_path, failing, Planted("old", good))
    assert by_metric(manifest)["failed"].is_worse


def test_a_real_quantizable_model_is_measured_as_it_serves(
    index: Index, tmp_path: Path, tiny_model: Path
) -> None:
    engine = LlamaEngine.load(tiny_model, context_tokens=2048, slots=1, threads=1)
    try:
        table = TABLE.model_copy(update={"min_questions": 2, "general_examples": 1})
        contest = EvaluationRun(index, engine, None, answer_tokens=32)
        examples = team_dataset(tmp_path / "dataset", ("meals", "hotel"))
        manifest = evaluate(table, contest, examples, tmp_path / "evaluate", display=Silent())
    finally:
        engine.close()
    assert manifest.inputs["candidate"] == engine.identity.sha256
    assert manifest.metrics["means"]["candidate alone"]["seconds"] > 0
    assert manifest.metrics["means"]["candidate"]["failed"] == 0.0
