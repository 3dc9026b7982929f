"""The classic exercise over a small collection: every number of it can be checked by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.evaluate.exercise import (
    WITH,
    WITHOUT,
    ExerciseTable,
    SentenceChunker,
    abstracts_exercise,
    choose,
    indexed,
)
from adapters.evaluate.results import read_results
from adapters.runs.display import Silent
from adapters.runs.manifest import Manifest
from bot.domain.settings import Settings
from bot.domain.values import Message
from bot.serving.model import LanguageModel
from indexer.documents import Audience, Document
from indexer.embedding.embedding import LlamaCppEmbedding
from tests.adapters.evaluate.contest import QUESTIONS
from tests.adapters.team import PAGES
from tests.services.scripted_model import ScriptedModel

TABLE = ExerciseTable(documents=8, questions=4, resamples=2000)
_FIRST = re.compile(r'<passage number="1"[^>]*>\n(.*?)\n</passage>', re.DOTALL)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Ten abstracts, and for each the question that it answers."""
    folder = tmp_path / "corpus"
    (folder / "qrels").mkdir(parents=True)
    documents = [
        {"_id": topic, "title": topic.capitalize(), "text": text} for topic, text in PAGES.items()
    ]
    questions = [{"_id": f"q-{topic}", "text": text} for topic, text in QUESTIONS.items()]
    for name, lines in (("corpus", documents), ("queries", questions)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    judged = "".join(f"q-{topic}\t{topic}\t1\n" for topic in QUESTIONS)
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return folder


def quoting_or_guessing(messages: Sequence[Message]) -> str:
    """The first passage with its number; without passages a guess that no abstract supports."""
    first = _FIRST.search(messages[2].content) if len(messages) > 2 else None
    return f"{first[1]} [1]" if first else "Everybody knows that the moon decides it."


def exercise(corpus: Path, cache_dir: Path, folder: Path, model: LanguageModel) -> Manifest:
    settings = Settings(data_dir=folder / "data", cache_dir=cache_dir)
    return abstracts_exercise(corpus, TABLE, model, settings, folder / "run", display=Silent())


def test_retrieval_makes_the_difference(corpus: Path, cache_dir: Path, tmp_path: Path) -> None:
    manifest = exercise(corpus, cache_dir, tmp_path, ScriptedModel(quoting_or_guessing))
    means = manifest.metrics["means"]
    assert means[WITH]["faithfulness"] == 1.0
    assert means[WITHOUT]["faithfulness"] == 0.0
    assert means[WITH]["context_precision"] == 1.0
    assert "context_precision" not in means[WITHOUT]
    assert manifest.metrics["verdict"] == (
        "With retrieval the abstracts support 100% of the claims made, without it 0% of the "
        "claims made; context precision is 1.00."
    )


def test_every_answer_is_kept_with_what_people_judged_relevant(
    corpus: Path, cache_dir: Path, tmp_path: Path
) -> None:
    manifest = exercise(corpus, cache_dir, tmp_path, ScriptedModel(quoting_or_guessing))
    results = read_results(manifest.output("results"))
    assert len(results) == 2 * TABLE.questions
    for one in results:
        assert one.reference == f"From: {one.question_id.removeprefix('q-').capitalize()}"
    assert "With retrieval" in manifest.output("report").read_text()


def test_what_has_been_done_is_not_done_again(
    corpus: Path, cache_dir: Path, tmp_path: Path
) -> None:
    first = exercise(corpus, cache_dir, tmp_path, ScriptedModel(quoting_or_guessing))
    again = exercise(corpus, cache_dir, tmp_path, ScriptedModel(quoting_or_guessing))
    assert again.run == first.run


def test_the_index_is_kept_for_the_next_model(
    corpus: Path, cache_dir: Path, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=cache_dir)
    chosen = choose(corpus, TABLE)
    for _ in range(3):
        with indexed(chosen, TABLE, settings) as index:
            assert index.store.documents().keys() == chosen.documents.keys()


def test_every_question_has_a_relevant_document_among_the_chosen(corpus: Path) -> None:
    chosen = choose(corpus, TABLE)
    assert len(chosen.documents) == 8
    assert len(chosen.questions) == 4
    assert all(chosen.relevant(question) for question in chosen.questions)


def test_the_seed_decides_what_is_chosen(corpus: Path) -> None:
    assert choose(corpus, TABLE) == choose(corpus, TABLE)
    other = choose(corpus, TABLE.model_copy(update={"seed": 1}))
    assert other.questions != choose(corpus, TABLE).questions


def test_chunks_have_the_size_and_overlap_that_were_asked_for(
    embedding: LlamaCppEmbedding,
) -> None:
    sentences = [f"Finding number {n} was confirmed in the second trial." for n in range(120)]
    document = Document("d", "abstracts", "Title", " ".join(sentences), Audience.of("public"))
    chunks = SentenceChunker(embedding.count_tokens, ExerciseTable()).chunks(document)
    sizes = [embedding.count_tokens(chunk.text) for chunk in chunks]
    assert len(chunks) > 1
    assert all(400 < size <= 512 for size in sizes[:-1])
    shared = [one for one in sentences if one in chunks[0].text and one in chunks[1].text]
    assert 30 <= embedding.count_tokens(" ".join(shared)) <= 50
