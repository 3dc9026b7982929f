"""A folder of Markdown into a searchable index: ours beside LlamaIndex's ingestion pipeline.

Run with ``make bench NAME=ingest``. The pipeline is MarkdownNodeParser and SentenceSplitter with
chunks of the embedder's size, the SAME embedder object, SimpleVectorStore and docstore persisted
to disk; it has no lexical index and no audiences. The last line is one JSON object: ``ratio`` is
our time of a first sync over the pipeline's; ``changed_…`` is what a run costs after one page of
all has changed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median

from llama_index.core import Document
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import MarkdownNodeParser, SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore

from indexer.documents import PUBLIC
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.index import Index, open_index, open_source
from indexer.settings import FilesSource, IndexSettings
from tests.benchmarks.generated import write_pages
from tests.benchmarks.timing import in_turns

OVERLAP = 30


class Pipeline:
    """LlamaIndex's, its state read from and written to ``state`` in every run."""

    def __init__(self, embedding: LlamaCppEmbedding, pages: Path, state: Path) -> None:
        self._embedding = embedding
        self._pages = pages
        self._state = state
        self.embedded: list[int] = []

    def run(self, _: int) -> None:
        documents = [
            Document(text=path.read_text(), id_=path.relative_to(self._pages).as_posix())
            for path in sorted(self._pages.rglob("*.md"))
        ]
        vectors = self._state / "vectors.json"
        store = (
            SimpleVectorStore.from_persist_path(str(vectors))
            if vectors.exists()
            else SimpleVectorStore()
        )
        splitter = SentenceSplitter(
            chunk_size=self._embedding.max_tokens,
            chunk_overlap=OVERLAP,
            tokenizer=lambda text: range(self._embedding.count_tokens(text)),
        )
        pipeline = IngestionPipeline(
            transformations=[MarkdownNodeParser(), splitter, self._embedding],
            vector_store=store,
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS,
        )
        if vectors.exists():
            pipeline.load(str(self._state))
        self.embedded.append(len(pipeline.run(documents=documents)))
        pipeline.persist(str(self._state))
        store.persist(str(vectors))


class Sync:
    """Ours, with a library that stays open so that both use its embedder."""

    def __init__(self, index: Index, pages: Path, settings: IndexSettings) -> None:
        self._index = index
        table = FilesSource(name="pages", path=pages, audience=(PUBLIC,))
        self._source = open_source(table, settings)
        self.embedded: list[int] = []

    def run(self, _: int) -> None:
        reports = [self._index.apply(plan) for plan in self._index.plan([self._source])]
        self._index.finish(reports)
        self.embedded.append(reports[0].chunks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds = [_round(arguments.pages) for _ in range(arguments.rounds)]
    figures = {name: median(one[name] for one in rounds) for name in rounds[0]}
    ratios = {
        "ratio": round(figures["ours_s"] / figures["pipeline_s"], 3),
        "changed_ratio": round(figures["changed_ours_s"] / figures["changed_pipeline_s"], 3),
    }
    print(json.dumps(ratios | figures | {"pages": arguments.pages}))


def _round(count: int) -> dict[str, float]:
    """Both from nothing, then both again after one page has changed."""
    with tempfile.TemporaryDirectory() as scratch:
        pages = Path(scratch) / "pages"
        paths = write_pages(pages, count)
        settings = IndexSettings(data_dir=Path(scratch) / "data", sources=())
        with open_index(settings) as index:
            sync = Sync(index, pages, settings)
            pipeline = Pipeline(index.embedding, pages, Path(scratch) / "pipeline")
            (ours,), (theirs,) = in_turns(1, sync.run, pipeline.run)
            with paths[0].open("a") as page:
                page.write("\nOne more sentence.\n")
            (ours_again,), (theirs_again,) = in_turns(1, sync.run, pipeline.run)
    print(f"ours {ours:.1f} s, pipeline {theirs:.1f} s")
    return {
        "ours_s": round(ours, 2),
        "pipeline_s": round(theirs, 2),
        "ours_chunks": sync.embedded[0],
        "pipeline_chunks": pipeline.embedded[0],
        "changed_ours_s": round(ours_again, 3),
        "changed_pipeline_s": round(theirs_again, 3),
        "changed_ours_chunks": sync.embedded[1],
        "changed_pipeline_chunks": pipeline.embedded[1],
    }


if __name__ == "__main__":
    main()
