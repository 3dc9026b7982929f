"""Measures by hand, then a small collection through the whole of indexing and retrieval."""

import json
import math
import sys
from pathlib import Path

import pytest

from indexer import evaluation as evaluating
from indexer.cli import main
from indexer.documents import Audience, Chunk, Passage
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.errors import EvaluationError
from indexer.evaluation import evaluate, ndcg, ranked, recall, reciprocal_rank
from indexer.settings import IndexSettings, IndexTable
from indexer.stores.base import SearchRequest
from indexer.sync.sync import Progressed

GRADES = {"a": 3, "b": 2, "c": 1, "x": 0}
TEXTS = {
    "d1": ("Leave", "Everybody has twenty-seven days of holiday a year."),
    "d2": ("Payday", "Salaries arrive on the twenty-fifth of a month."),
    "d3": ("VPN", "ERR-4711 means that the tunnel's certificate has expired."),
    "d4": ("Lunch", "Soup is served at noon in the canteen."),
}


def test_ndcg_has_linear_gains() -> None:
    # 1/log2(2) + 3/log2(3) + 0 + 2/log2(5), over 3/log2(2) + 2/log2(3) + 1/log2(4)
    got = 1 + 3 / math.log2(3) + 2 / math.log2(5)
    best = 3 + 2 / math.log2(3) + 1 / 2
    assert ndcg(["c", "a", "x", "b"], GRADES, 10) == pytest.approx(got / best)
    assert ndcg(["a", "b", "c"], GRADES, 10) == 1.0


def test_ndcg_is_cut_and_so_is_its_ideal() -> None:
    assert ndcg(["a", "x"], GRADES, 1) == 1.0
    assert ndcg(["b", "a"], GRADES, 1) == pytest.approx(2 / 3)


def test_a_negative_grade_is_no_gain_and_not_relevant() -> None:
    grades = {"spam": -2, "a": 1}
    assert ndcg(["spam", "a"], grades, 10) == pytest.approx(1 / math.log2(3))
    assert recall(["spam"], grades, 10) == 0.0
    assert reciprocal_rank(["spam", "a"], grades, 10) == 0.5


def test_recall_is_of_the_relevant_documents_alone() -> None:
    assert recall(["x", "a", "q", "b"], GRADES, 10) == pytest.approx(2 / 3)
    assert recall(["x", "a", "q", "b"], GRADES, 2) == pytest.approx(1 / 3)


def test_reciprocal_rank_counts_from_one_and_ends_at_the_depth() -> None:
    assert reciprocal_rank(["q", "x", "c"], GRADES, 10) == pytest.approx(1 / 3)
    assert reciprocal_rank([*"qrstuvwyz", "c", "a"], GRADES, 10) == pytest.approx(1 / 10)
    assert reciprocal_rank([*"qrstuvwyzk", "a"], GRADES, 10) == 0.0


@pytest.mark.parametrize("measure", [ndcg, recall, reciprocal_rank])
def test_nothing_found_and_nothing_relevant_count_zero(measure) -> None:  # type: ignore[no-untyped-def]
    assert measure([], GRADES, 10) == 0.0
    assert measure(["x"], {"x": 0}, 10) == 0.0


def test_a_document_ranks_by_its_best_chunk_and_ties_by_descending_id() -> None:
    found = [("a", 0.5), ("b", 0.9), ("a", 0.9), ("c", 0.1), ("10", 0.1), ("9", 0.1)]
    assert ranked(found) == ["b", "a", "c", "9", "10"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "collection"
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": key, "title": title, "text": text} for key, (title, text) in TEXTS.items()]
    questions = [
        {"_id": "q1", "text": "How many days of holiday do we have?"},
        {"_id": "q2", "text": "ERR-4711"},
        {"_id": "unjudged", "text": "Who is the boss?"},
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in corpus))
    (folder / "queries.jsonl").write_text("".join(json.dumps(line) + "\n" for line in questions))
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td3\t1\nq2\tvanished\t1\n"
    )
    return folder


@pytest.fixture
def settings(tmp_path: Path, cache_dir: Path, embedding: LlamaCppEmbedding) -> IndexSettings:
    """The converted embedder is shared, the evaluation's index is not."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to(cache_dir / "models")
    return IndexSettings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def test_a_small_collection_is_measured_by_leg(folder: Path, settings: IndexSettings) -> None:
    result = evaluate(folder, settings)
    # q1 finds all it needs; q2 finds one of two, at the first place.
    second = 1 / (1 + 1 / math.log2(3))
    for leg in (result.fused, result.lexical, result.dense):
        assert leg.named() == {
            "ndcg@10": pytest.approx((1 + second) / 2),
            "recall@10": pytest.approx(0.75),
            "recall@100": pytest.approx(0.75),
            "mrr": pytest.approx(1.0),
        }
    assert result.questions == 2
    assert list(result.named()) == ["ndcg@10", "recall@10", "recall@100", "mrr", "lexical", "dense"]


def test_a_second_evaluation_embeds_no_document(folder: Path, settings: IndexSettings) -> None:
    written: list[Progressed] = []
    first = evaluate(folder, settings, written.append)
    assert written[-1].done == written[-1].total == len(TEXTS)
    written.clear()
    assert evaluate(folder, settings, written.append) == first
    assert [event.total for event in written] == [0]
    assert not settings.data_dir.exists()


def test_another_corpus_has_an_index_of_its_own(folder: Path, settings: IndexSettings) -> None:
    evaluate(folder, settings)
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.write('{"_id": "d5", "title": "Only a title"}\n')
    written: list[Progressed] = []
    evaluate(folder, settings, written.append)
    assert written[-1].total == len(TEXTS) + 1


def test_the_lexical_leg_ranks_only_what_it_found(folder: Path, settings: IndexSettings) -> None:
    (folder / "qrels" / "test.tsv").write_text("q2\td1\t1\nq2\td2\t1\nq2\td4\t1\n")
    result = evaluate(folder, settings)
    assert result.lexical.recall_at_10 == 0.0
    assert result.dense.recall_at_10 == 1.0


class _LongDocuments:
    """A store whose every document has 20 chunks, all of them found by both legs."""

    def __init__(self, documents: int) -> None:
        self._passages = [
            Passage(
                Chunk(f"d{number // 20}", number % 20, "text"),
                "title",
                Audience.of("public"),
                *(3 * [1 - number / (20 * documents)]),
            )
            for number in range(20 * documents)
        ]
        self.asked: list[int] = []

    def search(self, request: SearchRequest) -> list[Passage]:
        self.asked.append(request.candidates)
        return self._passages[: request.candidates]


@pytest.mark.parametrize(("documents", "asked"), [(50, [30, 60, 120, 240]), (4, [30, 60, 120])])
def test_chunks_are_fetched_until_enough_documents_are_ranked(
    documents: int, asked: list[int], embedding: LlamaCppEmbedding
) -> None:
    store = _LongDocuments(documents)
    vector = embedding.embed(["soup"])[0]
    rankings = evaluating._rankings(store, "soup", vector, 10, IndexTable())  # type: ignore[arg-type]
    assert len(rankings.dense) == min(12, documents)
    assert store.asked == asked


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("corpus.jsonl", None, "corpus.jsonl cannot be read"),
        ("corpus.jsonl", "", "is empty"),
        ("corpus.jsonl", "{}\n", 'every line is an object with an "_id"'),
        ("corpus.jsonl", '{"_id": "a"\n', "corpus.jsonl, line 1: it is not JSON"),
        ("corpus.jsonl", 2 * '{"_id": "d1", "text": "x"}\n', "yields d1 twice"),
        ("corpus.jsonl", '{"_id": "other", "text": "x"}\n', "No judged document is in the corpus"),
        ("queries.jsonl", None, "queries.jsonl cannot be read"),
        ("queries.jsonl", '{"_id": "q1", "text": "x"}\n', "no text for 1 of 2 judged questions"),
        ("qrels/test.tsv", None, "test.tsv cannot be read"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "judges no document"),
        ("qrels/test.tsv", "q1 0 d1 1\n", "with tabs between them"),
        ("qrels/test.tsv", "q1\td1\t1\nq2\td3\tgood\n", "line 2: the grade 'good'"),
    ],
)
def test_a_malformed_folder_is_a_sentence(
    folder: Path, settings: IndexSettings, file: str, text: str | None, sentence: str
) -> None:
    (folder / file).unlink() if text is None else (folder / file).write_text(text)
    with pytest.raises(EvaluationError, match=sentence):
        evaluate(folder, settings)


def test_bytes_that_are_no_text_are_a_sentence(folder: Path, settings: IndexSettings) -> None:
    (folder / "queries.jsonl").write_bytes(b'{"_id": "q1", "text": "caf\xe9"}\n')
    with pytest.raises(EvaluationError, match="is not UTF-8"):
        evaluate(folder, settings)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, settings: IndexSettings, folder: Path):  # type: ignore[no-untyped-def]
    """Runs ``lorebot-index evaluate`` beside the folder: its exit code."""
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("LOREBOT_CACHE_DIR", str(settings.cache_dir))

    def command(*arguments: str) -> object:
        monkeypatch.setattr(sys, "argv", ["lorebot-index", "evaluate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code

    return command


def test_the_command_prints_one_json_object(command, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert command("collection", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["mrr"] == printed["lexical"]["mrr"] == printed["dense"]["mrr"] == 1.0


def test_the_command_prints_a_line_a_leg(command, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert command("collection") == 0
    printed = capsys.readouterr().out
    assert "2 questions" in printed
    assert all(name in printed for name in ("lexical", "dense", "fused", "ndcg@10", "0.7500"))


def test_the_command_says_what_is_wrong(command, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert command("elsewhere") == 1
    assert "qrels/test.tsv" in capsys.readouterr().err
