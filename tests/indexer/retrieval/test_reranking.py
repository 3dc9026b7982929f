"""The cross-encoder agrees with its own arithmetic, from any thread, and fails in sentences."""

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.embedder_file import DEFAULT_EMBEDDER, find_embedder
from indexer.errors import RerankerError
from indexer.retrieval.reranking import CrossEncoder
from indexer.trials import Trials
from tests.services.dying_llama import let_children_die
from tests.services.tiny_reranker import WORDS, expected_logit, write_tiny_reranker

QUESTION = "how many days leave"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    write_tiny_reranker(path)
    return path


@pytest.fixture
def reranker(file: Path) -> Iterator[CrossEncoder]:
    with closing(CrossEncoder(file, threads=2)) as reranker:
        yield reranker


def texts(count: int) -> list[str]:
    random = np.random.default_rng(1)
    return [" ".join(random.choice(WORDS, random.integers(1, 20))) for _ in range(count)]


def test_scores_are_those_of_the_model(reranker: CrossEncoder) -> None:
    """Pairs are framed as the model was trained to read them, whatever batch they share."""
    given = texts(40)
    expected = [1 / (1 + math.exp(-expected_logit(QUESTION, text))) for text in given]
    found = reranker.scores(QUESTION, given)
    assert found == pytest.approx(expected, abs=2e-3)
    assert max(found) - min(found) > 0.3


def test_the_question_matters(reranker: CrossEncoder) -> None:
    one, other = (reranker.scores(question, ["soup lunch"])[0] for question in ("soup", "train"))
    assert abs(one - other) > 0.01


def test_no_texts_give_no_scores(reranker: CrossEncoder) -> None:
    assert reranker.scores(QUESTION, []) == []


def test_what_does_not_fit_is_cut_off(reranker: CrossEncoder) -> None:
    long = "soup " * 500
    assert reranker.scores(long, [long]) == reranker.scores("soup " * 200, ["soup " * 200])


def test_many_threads_share_one_model(reranker: CrossEncoder) -> None:
    given = texts(30)
    together = reranker.scores(QUESTION, given)
    with ThreadPoolExecutor(8) as threads:
        apart = list(threads.map(lambda text: reranker.scores(QUESTION, [text])[0], given))
    assert apart == pytest.approx(together, abs=2e-3)


def test_nothing_is_loaded_before_the_first_question(tmp_path: Path) -> None:
    path = tmp_path / "later.gguf"
    path.write_bytes(b"")
    reranker = CrossEncoder(path)
    write_tiny_reranker(path)
    assert len(reranker.scores(QUESTION, ["soup"])) == 1
    reranker.close()
    reranker.close()


def test_a_path_to_nothing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match="which is no file"):
        CrossEncoder(tmp_path / "missing.gguf")


def test_a_damaged_file_is_a_sentence(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = file.read_bytes()
    for part in (b"", b"GGUF and then nothing", whole[:200], whole[:-500]):
        file.write_bytes(part)
        with pytest.raises(RerankerError, match=r"tiny\.gguf .*\[index\] reranker"):
            CrossEncoder(file).scores(QUESTION, ["soup"])
    assert capfd.readouterr().err == ""


def test_an_embedder_is_no_reranker(cache_dir: Path) -> None:
    embedder = find_embedder(DEFAULT_EMBEDDER, cache_dir).path
    with pytest.raises(RerankerError, match="no classification head"):
        CrossEncoder(embedder).scores(QUESTION, ["soup"])


def test_a_model_of_several_outputs_is_no_reranker(file: Path) -> None:
    write_tiny_reranker(file, outputs=3)
    with pytest.raises(RerankerError, match="3 numbers"):
        CrossEncoder(file).scores(QUESTION, ["soup"])


def test_a_reranker_is_tried_in_a_child_once(file: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with closing(CrossEncoder(file, threads=1, trials=Trials(tmp_path / "cache"))) as tried:
            assert len(tried.scores(QUESTION, ["soup", "leave"])) == 2
    (memory,) = (tmp_path / "cache" / "trials").iterdir()
    assert json.loads(memory.read_text())["deaths"] == []


def test_a_reranker_that_kills_llama_cpp_is_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_children_die(tmp_path, monkeypatch, "always")
    with pytest.raises(RerankerError, match="dies at the first batch"):
        CrossEncoder(file, threads=1, trials=Trials(tmp_path)).scores(QUESTION, ["soup"])
