"""Stage ``exercise``: 1,000 scientific abstracts, 20 questions, with retrieval and without.

Faithfulness is judged (judging.py); context precision rests on the documents that people judged
relevant, so it needs no judge. Without retrieval the model answers closed-book, and what it says
is held against the abstracts that retrieval would have found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from llama_index.core.node_parser import SentenceSplitter
from pydantic import Field

from adapters.evaluate.comparison import Difference, Verdict, compare, verdict
from adapters.evaluate.evaluation_run import model_identity
from adapters.evaluate.judging import PROMPTS_VERSION, Judge, LexicalJudge, ModelJudge, claims_of
from adapters.evaluate.metrics import context_precision, share
from adapters.evaluate.report import Report, write_report
from adapters.evaluate.results import Ledger, Means, Result, means, write_results
from adapters.evaluate.systems import CLOSED_BOOK_VERSION, ClosedBook, OpenBook, Reply, System
from adapters.runs.display import Display
from adapters.runs.manifest import Manifest, Run, run_stage
from bot.answering.pipeline import Pipeline
from bot.domain import prompts
from bot.domain.settings import Settings
from bot.domain.values import Question
from bot.serving.lending import FixedModels
from bot.serving.model import LanguageModel
from indexer.chunking.chunking import Chunker
from indexer.documents import PUBLIC, Audience, Chunk, Document
from indexer.index import Index, open_index
from indexer.settings import StoreTable, Table
from indexer.sources.beir import BeirCorpus, Judgements, read_judgements, read_questions

WITH, WITHOUT = "with retrieval", "without retrieval"
_PUBLIC = Audience.of(PUBLIC)


class ExerciseTable(Table):
    """How large the exercise is."""

    documents: int = Field(default=1000, ge=1)
    questions: int = Field(default=20, ge=1)
    chunk_tokens: int = Field(default=512, ge=16)
    overlap_tokens: int = Field(default=50, ge=0)
    support: float = Field(default=0.8, gt=0, le=1)
    """Share of a claim's words that abstracts must hold, where no model judges."""
    resamples: int = Field(default=5000, ge=2000)
    seed: int = 0


class SentenceChunker(Chunker):
    """LlamaIndex's SentenceSplitter, counting the embedder's tokens. What of a chunk is beyond
    the embedder's reach is found by its words alone.
    """

    def __init__(self, count_tokens: Callable[[str], int], table: ExerciseTable) -> None:
        super().__init__(count_tokens, table.chunk_tokens)
        self._splitter = SentenceSplitter(
            chunk_size=table.chunk_tokens,
            chunk_overlap=table.overlap_tokens,
            tokenizer=lambda text: range(count_tokens(text)),
        )

    def chunks(self, document: Document) -> list[Chunk]:
        pieces = self._splitter.split_text(document.text)
        return [Chunk(document.id, place, piece) for place, piece in enumerate(pieces)]


@dataclass(frozen=True, slots=True)
class Exercise:
    """The chosen documents and questions; every question has a relevant document among them."""

    documents: Mapping[str, Document]
    questions: Mapping[str, str]
    judgements: Judgements

    name = BeirCorpus.name  # which its documents are indexed under

    def read(self) -> Iterator[Document]:
        """As a source of an index."""
        yield from self.documents.values()

    def relevant(self, question: str) -> list[Document]:
        """What people judged relevant, of the chosen documents."""
        graded = self.judgements[question]
        return [self.documents[one] for one in graded if graded[one] > 0 and one in self.documents]


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
            _ask(exercise, _systems(model, index, settings), judging, ledger, display)
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
            "prompts": f"{prompts.VERSION} {CLOSED_BOOK_VERSION} {PROMPTS_VERSION}",
        },
        work=work,
    )


def choose(folder: Path, table: ExerciseTable) -> Exercise:
    """A folder in BEIR's layout (SciFact, for instance) made as small as the settings say.

    The seed decides. Raises EvaluationError of the indexer for a damaged folder.
    """
    corpus = {document.id: document for document in BeirCorpus(folder).read()}
    judgements = read_judgements(folder)
    texts = read_questions(folder, judgements)
    chance = Random(table.seed)  # noqa: S311 - no secret
    able = sorted(
        question
        for question, grades in judgements.items()
        if any(grade > 0 and document in corpus for document, grade in grades.items())
    )
    asked = chance.sample(able, min(table.questions, len(able)))
    needed = dict.fromkeys(
        document
        for question in asked
        for document, grade in judgements[question].items()
        if grade > 0 and document in corpus
    )
    others = sorted(corpus.keys() - needed)
    filling = chance.sample(others, min(max(0, table.documents - len(needed)), len(others)))
    chosen = sorted([*needed, *filling])
    return Exercise(
        {one: corpus[one] for one in chosen}, {one: texts[one] for one in asked}, judgements
    )


@contextmanager
def indexed(exercise: Exercise, table: ExerciseTable, settings: Settings) -> Iterator[Index]:
    """An index of these documents and chunks alone, kept in ``cache_dir``: asked again, nothing
    is embedded again.
    """
    parts = (settings.index.embedder, table.chunk_tokens, table.overlap_tokens)
    contents = (document.digest for document in exercise.documents.values())
    key = hashlib.sha256("\0".join([*map(str, parts), *contents]).encode()).hexdigest()[:16]
    place = settings.cache_dir / "exercises" / key
    own = settings.model_copy(update={"data_dir": place, "store": StoreTable()})
    with open_index(own) as index:
        index.chunker = SentenceChunker(index.embedding.count_tokens, table)
        index.finish([index.apply(plan) for plan in index.plan([exercise])])
        yield index


def _systems(model: LanguageModel, index: Index, settings: Settings) -> tuple[System, System]:
    pipeline = Pipeline(
        index,
        FixedModels(model),
        thresholds=settings.thresholds,
        answer_tokens=settings.model.answer_tokens,
        answer_seconds=settings.model.answer_seconds,
    )
    limits = settings.model.answer_tokens, settings.model.answer_seconds
    return OpenBook(WITH, pipeline), ClosedBook(WITHOUT, model, index, *limits)


def _ask(
    exercise: Exercise,
    systems: Sequence[System],
    judge: Judge,
    ledger: Ledger,
    display: Display,
) -> None:
    wanted = [(question, system) for question in exercise.questions for system in systems]
    with display.bar("Answering", len(wanted)) as bar:
        for done, (question, system) in enumerate(wanted, start=1):
            if (system.name, question) not in ledger:
                reply = system.reply(Question(question, exercise.questions[question], _PUBLIC))
                ledger.add(_result(exercise, question, system.name, reply, judge))
            bar.move(done)


def _result(exercise: Exercise, question: str, system: str, reply: Reply, judge: Judge) -> Result:
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
        system=system,
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
    differences = compare(ledger.results, WITH, WITHOUT, resamples=table.resamples, seed=table.seed)
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
            "Without retrieval": "The model answers closed-book; its claims are held against the "
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
