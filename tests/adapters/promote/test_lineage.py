"""From a served answer back to the data it was learned from."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from adapters.errors import ManifestError
from adapters.promote.lineage import lineage, tree
from adapters.promote.promote import promote
from adapters.settings import PromoteTable
from bot.domain.values import Answer, Asked, Ending, Question, Versions
from bot.models.registry import Registry
from bot.models.versions import ModelVersion
from bot.records.answers import Answers
from bot.records.database import Database
from indexer.documents import Audience
from tests.adapters.candidates import a_candidate
from tests.services.model_files import write_gguf


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    return Registry(database, tmp_path / "models")


@pytest.fixture
def trained(registry: Registry, tmp_path: Path) -> ModelVersion:
    candidate = a_candidate(tmp_path / "line")
    promote(
        PromoteTable(canary_share=0), registry, candidate, tmp_path / "promote", name="t", by="ana"
    )
    return registry.version("t")


def answered(database: Database, model: str, adapter: str = "") -> str:
    """The id of an answer by these versions."""
    Answers(database).ask(Asked("C1:1.0", "Ev1", "C1", "1.0", "U1", "How?"))
    question = Question("C1:1.0", "How?", Audience.of("public"))
    made = Versions(prompt="1", model=model, adapter=adapter, embedder="e")
    return Answers(database).save(Answer(question, "So.", Ending.GENERATED, made))


def test_answer_leads_to_version_runs_and_dataset(
    database: Database, registry: Registry, trained: ModelVersion
) -> None:
    answer_id = answered(database, f"t.gguf@{trained.sha256[:12]}")
    found = lineage(answer_id, database, registry)
    assert (found.answer, found.version) == (answer_id, trained)
    assert [run.stage for run in found.runs] == ["dataset", "quantize", "verify", "evaluate"]
    assert len(found.runs[0].outputs["train"].sha256) == 64
    assert found.runs[0].metrics["examples"] == {"train": 1}
    told = found.as_json()
    assert told["version"] == "t"
    assert told["runs"][0]["outputs"]["train"]["sha256"] == found.runs[0].outputs["train"].sha256


def test_people_see_hashes_and_counts(
    database: Database, registry: Registry, trained: ModelVersion
) -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(tree(lineage("t", database, registry)))
    assert "examples: {'train': 1}" in shown.get()
    assert trained.sha256[:12] in shown.get()


def test_lineage_outlives_the_folders_of_the_runs(
    database: Database, registry: Registry, trained: ModelVersion, tmp_path: Path
) -> None:
    a_candidate(tmp_path / "line", file="next")
    found = lineage("t", database, registry)
    assert found.runs[1].outputs["gguf"].sha256 == trained.sha256


def test_answer_through_an_adapter_is_not_its_bases(
    database: Database, registry: Registry, tmp_path: Path
) -> None:
    base = registry.add(write_gguf(tmp_path / "base.gguf"))
    tuned = registry.add(write_gguf(tmp_path / "tuned.gguf", adapter=True), base="base")
    answer_id = answered(database, f"base.gguf@{base.sha256[:12]}", tuned.stamp)
    assert lineage(answer_id, database, registry).version == tuned


def test_model_from_elsewhere_has_no_runs(
    database: Database, registry: Registry, tmp_path: Path
) -> None:
    registry.add(write_gguf(tmp_path / "pulled.gguf"), source="hf:o/r/pulled.gguf")
    found = lineage("pulled", database, registry)
    assert found.runs == ()
    console = Console(width=120)
    with console.capture() as shown:
        console.print(tree(found))
    assert "not trained here: hf:o/r/pulled.gguf" in shown.get()


def test_quoted_answer_had_no_model(database: Database, registry: Registry) -> None:
    found = lineage(answered(database, ""), database, registry)
    assert (found.version, found.made_by) == (None, "quoting, without a model")


@pytest.mark.parametrize("which", ["nobody", ""])
def test_unknown_name_is_said(database: Database, registry: Registry, which: str) -> None:
    with pytest.raises(ManifestError, match="no answer and no model version"):
        lineage(which, database, registry)


def test_damaged_lineage_is_said(
    database: Database, registry: Registry, trained: ModelVersion
) -> None:
    Path(trained.source).write_text("{")
    with pytest.raises(ManifestError, match="bring the file back"):
        lineage("t", database, registry)
