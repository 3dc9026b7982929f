"""The embedder agrees with the published model, in tokens and in vectors."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tokenizers import Tokenizer

from indexer.embedding.embedder_file import published_model
from indexer.embedding.embedding import LlamaCppEmbedding
from tests.indexer.embedding.bert_reference import BertReference

TEXTS = [
    "How many days of leave do I get?",
    "E",
    "Refunds are paid within 30 days to the original card; see POL-17 §4.",
    "naïve café ﬁancé — “quotes” … 10 000 €",
    "snake_case CamelCase http://example.org/a?b=c#d user@example.org",
    "日本語のテキスト and English",
    "🎉 emoji 👩‍💻 joined",
    "tab\tand\nnewline  and   spaces",
    "The quick brown fox jumps over the lazy dog. " * 18,
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(published_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_the_published_tokenizer(
    embedding: LlamaCppEmbedding, tokenizer: Tokenizer, text: str
) -> None:
    assert embedding.count_tokens(text) == len(tokenizer.encode(text, add_special_tokens=False).ids)


def test_vectors_agree_with_the_float32_model(
    embedding: LlamaCppEmbedding, tokenizer: Tokenizer
) -> None:
    reference = BertReference.load(published_model())
    expected = np.stack([reference.embed(tokenizer.encode(text).ids) for text in TEXTS])
    cosines = (embedding.embed(TEXTS) * expected).sum(1)
    assert cosines.min() > 0.9995


def test_a_long_text_is_cut_to_its_first_tokens(embedding: LlamaCppEmbedding) -> None:
    words = ["alpha", "beta", "gamma", "delta"] * 200
    long, cut = embedding.embed([" ".join(words), " ".join(words[: embedding.max_tokens])])
    assert embedding.max_tokens == 254
    np.testing.assert_allclose(long @ cut, 1, atol=1e-5)


def test_vectors_have_unit_length_and_their_texts_order(embedding: LlamaCppEmbedding) -> None:
    texts = [f"{'word ' * (i * 7 % 50)}number {i}" for i in range(60)]
    vectors = embedding.embed(texts)
    assert vectors.shape == (60, embedding.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for position in (0, 17, 59):
        assert vectors[position] @ embedding.embed([texts[position]])[0] > 0.9999


def test_no_texts_give_no_vectors(embedding: LlamaCppEmbedding) -> None:
    assert embedding.embed([]).shape == (0, embedding.dimension)


def test_many_threads_share_one_embedder(embedding: LlamaCppEmbedding) -> None:
    texts = [f"question number {i} about topic {i % 7}" for i in range(40)]
    together = embedding.embed(texts)
    with ThreadPoolExecutor(8) as threads:
        apart = np.concatenate(list(threads.map(lambda text: embedding.embed([text]), texts)))
    assert (together * apart).sum(1).min() > 0.9999


async def _queried(embedding: LlamaCppEmbedding, text: str) -> list[float]:
    return await embedding.aget_query_embedding(text)


def test_llamaindex_gets_the_same_vectors(embedding: LlamaCppEmbedding) -> None:
    import asyncio

    text = "Where is the travel policy?"
    expected = embedding.embed([text])[0]
    for given in (
        embedding.get_query_embedding(text),
        embedding.get_text_embedding(text),
        asyncio.run(_queried(embedding, text)),
    ):
        assert np.asarray(given) @ expected > 0.9999


def test_nothing_is_written_to_stderr(
    embedding: LlamaCppEmbedding, cache_dir: object, capfd: pytest.CaptureFixture[str]
) -> None:
    from pathlib import Path

    second = LlamaCppEmbedding.find("all-MiniLM-L6-v2", Path(str(cache_dir)), threads=1)
    second.embed(["quiet"])
    second.close()
    assert capfd.readouterr() == ("", "")
