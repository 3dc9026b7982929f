"""The retriever serves one reader and no other."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from llama_index.core.schema import QueryBundle

from indexer.chunking.chunking import Chunker
from indexer.documents import Audience, Document, Passage
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.retrieval.retriever import AudienceRetriever
from indexer.stores.base import SearchRequest
from indexer.stores.sqlite import SqliteStore
from indexer.sync.sync import Plan, apply

PUBLIC = Audience.of("public")
FINANCE = Audience.of("group:finance")


@pytest.fixture
def store(embedding: LlamaCppEmbedding, tmp_path: Path) -> Iterator[SqliteStore]:
    documents = (
        Document(
            "d:leave.md", "d", "Leave", "## Sabbatical\nTake six weeks.", PUBLIC, "https://x.org/l"
        ),
        Document("d:pay.md", "d", "Pay", "Salaries of the board: 1 million.", FINANCE),
        Document("d:lunch.md", "d", "Lunch", "Soup is served at noon.", PUBLIC),
    )
    chunker = Chunker(embedding.count_tokens, embedding.max_tokens)
    with closing(
        SqliteStore(tmp_path / "index.sqlite", embedding.identity, embedding.dimension)
    ) as store:
        apply(Plan("d", added=documents), store, chunker, embedding)
        yield store


def test_nodes_carry_what_a_citation_needs(
    store: SqliteStore, embedding: LlamaCppEmbedding
) -> None:
    retriever = AudienceRetriever(store, embedding, PUBLIC)
    best = retriever.retrieve("How long may a sabbatical be?")[0]
    assert best.node.node_id == "d:leave.md#0"
    assert best.node.get_content() == "Take six weeks."
    assert best.score == 1.0
    assert best.node.metadata == {
        "document_id": "d:leave.md",
        "title": "Leave",
        "headers": ["Sabbatical"],
        "url": "https://x.org/l",
    }


def test_only_the_readers_own_passages_come_back(
    store: SqliteStore, embedding: LlamaCppEmbedding
) -> None:
    question = "What are the salaries of the board?"
    public = AudienceRetriever(store, embedding, PUBLIC).passages(question)
    assert {passage.title for passage in public} == {"Leave", "Lunch"}
    finance = AudienceRetriever(store, embedding, FINANCE).passages(question)
    assert [passage.title for passage in finance] == ["Pay"]


def test_a_store_that_errs_cannot_leak(store: SqliteStore, embedding: LlamaCppEmbedding) -> None:
    class Careless(SqliteStore):
        def __init__(self) -> None:
            pass

        def search(self, request: SearchRequest) -> list[Passage]:
            everyone = Audience.of("public", "group:finance")
            return store.search(
                SearchRequest(request.text, request.vector, everyone, limit=request.limit)
            )

    found = AudienceRetriever(Careless(), embedding, PUBLIC).passages("salaries")
    assert {passage.title for passage in found} == {"Leave", "Lunch"}


def test_a_given_vector_serves_the_dense_leg_and_words_stay(
    store: SqliteStore, embedding: LlamaCppEmbedding
) -> None:
    retriever = AudienceRetriever(store, embedding, PUBLIC, dense_weight=0.5)
    hypothesis = (embedding.embed(["Soup is served at noon."])[0] * 3).tolist()
    bundle = QueryBundle("sabbatical", embedding=hypothesis)
    scores = {node.node.metadata["title"]: node.score for node in retriever.retrieve(bundle)}
    assert scores == {"Leave": pytest.approx(0.5), "Lunch": pytest.approx(0.5)}


def test_it_can_be_awaited(store: SqliteStore, embedding: LlamaCppEmbedding) -> None:
    found = asyncio.run(AudienceRetriever(store, embedding, PUBLIC).aretrieve("soup"))
    assert found[0].node.metadata["title"] == "Lunch"


def test_the_audience_cannot_be_left_out(store: SqliteStore, embedding: LlamaCppEmbedding) -> None:
    with pytest.raises(TypeError, match="audience"):
        AudienceRetriever(store, embedding)  # type: ignore[call-arg]


def test_the_limit_is_kept(store: SqliteStore, embedding: LlamaCppEmbedding) -> None:
    assert len(AudienceRetriever(store, embedding, PUBLIC, limit=1).passages("soup")) == 1


def test_frequencies_are_the_readers(store: SqliteStore, embedding: LlamaCppEmbedding) -> None:
    counted = AudienceRetriever(store, embedding, PUBLIC).frequencies(["salaries", "soup"])
    assert (counted.chunks, counted.containing) == (2, {"salaries": 0, "soup": 1})


def test_passages_are_explained(store: SqliteStore, embedding: LlamaCppEmbedding) -> None:
    retriever = AudienceRetriever(store, embedding, PUBLIC)
    question = "How long may a sabbatical be?"
    (leave, why), (_, of_lunch) = retriever.explained(question)
    assert [passage for passage, _ in retriever.explained(question)] == retriever.passages(question)
    assert (why.lexical_rank, why.dense_rank, why.fused) == (1, 1, 1.0)
    assert why.similarity == leave.similarity
    assert (why.reranked, why.freshness, why.folded, why.merged) == (None, 0.0, 0, ())
    assert (of_lunch.lexical_rank, of_lunch.dense_rank) == (None, 2)


def test_neighbours_are_merged_unless_told_otherwise(
    store: SqliteStore, embedding: LlamaCppEmbedding
) -> None:
    text = "\n\n".join(f"Sabbatical rule {i} of the sabbatical rules. " * 12 for i in range(2))
    page = Document("d:long.md", "d", "Sabbatical", text, PUBLIC)
    chunker = Chunker(embedding.count_tokens, embedding.max_tokens)
    apply(Plan("d", added=(page,)), store, chunker, embedding)
    apart = AudienceRetriever(store, embedding, PUBLIC, merge_neighbours=False)
    assert len([p for p in apart.passages("sabbatical rules") if p.title == "Sabbatical"]) == 2
    together = AudienceRetriever(store, embedding, PUBLIC)
    (best, why), *_ = together.explained("sabbatical rules")
    assert best.chunk.text.split() == text.split()
    assert why.merged == (0, 1)


def test_a_reranker_reads_only_what_its_reader_may_see(
    store: SqliteStore, embedding: LlamaCppEmbedding
) -> None:
    class Backwards:
        read: tuple[str, ...] = ()

        def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            self.read += tuple(texts)
            return [number / 10 for number in range(len(texts))]

    reranker = Backwards()
    question = "How long may a sabbatical be?"
    plain = AudienceRetriever(store, embedding, PUBLIC).passages(question)
    found = AudienceRetriever(store, embedding, PUBLIC, reranker=reranker).passages(question)
    assert [p.title for p in found] == [p.title for p in reversed(plain)]
    assert reranker.read == (
        "Leave › Sabbatical\nTake six weeks.",
        "Lunch\nSoup is served at noon.",
    )
