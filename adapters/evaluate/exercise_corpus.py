"""What the classic exercise is made from: abstracts, questions, and chunks of sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from llama_index.core.node_parser import SentenceSplitter
from pydantic import Field

from bot.domain.settings import Settings
from indexer.chunking.chunking import Chunker
from indexer.documents import Chunk, Document
from indexer.index import Index, open_index
from indexer.settings import StoreTable, Table
from indexer.sources.beir import BeirCorpus, Judgements, read_judgements, read_questions


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
