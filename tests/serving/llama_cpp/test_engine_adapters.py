"""LoRA adapters beside one base model, in one engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.domain.errors import ModelError
from bot.serving.llama_cpp.engine import LlamaEngine
from tests.services.tiny_adapter import write_tiny_adapter
from tests.serving.llama_cpp.engines import SYSTEM, load, text, user, words


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    paths = {word: folder / f"{word}.gguf" for word in ("yes", "no")}
    for word, path in paths.items():
        write_tiny_adapter(path, f"Ġ{word}")
    return paths


@pytest.fixture
def engine(tiny_model: Path, adapters: dict[str, Path]) -> Iterator[LlamaEngine]:
    engine = load(tiny_model, slots=4, adapters=adapters)
    yield engine
    engine.close()


def test_adapter_answers_in_its_own_way_and_is_named(engine: LlamaEngine) -> None:
    adapted = engine.with_adapter("no")
    assert text(adapted, SYSTEM, user("Hello!"), max_tokens=4) == " no no no no"
    assert text(engine, SYSTEM, user("Hello!")) == "Hello!"
    assert re.fullmatch(r"no@[0-9a-f]{12}", adapted.identity.adapter)
    assert adapted.identity.sha256 == engine.identity.sha256
    assert engine.identity.adapter == ""


def test_adapter_chooses_in_its_own_way(engine: LlamaEngine) -> None:
    options = [" yes", " no"]
    for name, place in (("yes", 0), ("no", 1)):
        (chosen,) = engine.with_adapter(name).choose([SYSTEM], ["yes or no?"], options)
        assert chosen[place] > 0.99


def test_requests_of_base_and_adapters_run_side_by_side_without_mixing(
    engine: LlamaEngine,
) -> None:
    def ask(number: int) -> str:
        model = (engine, engine.with_adapter("yes"), engine.with_adapter("no"))[number % 3]
        return text(model, SYSTEM, user(words(60, number)), max_tokens=80)

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(ask, range(12)))
    for number, answer in enumerate(answers):
        expected = (words(60, number), " yes" * 80, " no" * 80)[number % 3]
        assert answer == expected


def test_nothing_computed_by_one_is_reused_by_another(engine: LlamaEngine) -> None:
    text(engine, SYSTEM, user("Hello!"))
    before = engine.statistics.reused_tokens
    text(engine.with_adapter("no"), SYSTEM, user("Hello!"), max_tokens=1)
    assert engine.statistics.reused_tokens == before
    text(engine.with_adapter("no"), SYSTEM, user("Hello!"), max_tokens=1)
    assert engine.statistics.reused_tokens > before


def test_view_leaves_the_engine_open_and_keeps_it_alive(
    tiny_model: Path, adapters: dict[str, Path]
) -> None:
    adapted = load(tiny_model, adapters=adapters).with_adapter("yes")
    adapted.close()
    assert text(adapted, user("Hello!"), max_tokens=2) == " yes yes"


def test_unknown_adapter_is_refused_with_the_known_ones(engine: LlamaEngine) -> None:
    with pytest.raises(ModelError, match=r"'maybe'.* no, yes"):
        engine.with_adapter("maybe")


def test_file_that_is_no_adapter_of_the_model_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    wide, other, cut = (tmp_path / name for name in ("wide.gguf", "other.txt", "cut.gguf"))
    write_tiny_adapter(wide, "Ġno", width=512)
    other.write_text("no adapter")
    write_tiny_adapter(cut, "Ġno")
    cut.write_bytes(cut.read_bytes()[:-1500])
    for path in (wide, tiny_model, cut):
        with pytest.raises(ModelError, match="is no LoRA adapter of this model"):
            load(tiny_model, adapters={"wrong": path})
    for path, reason in ((tmp_path / "missing", "no model file"), (other, "not a GGUF file")):
        with pytest.raises(ModelError, match=reason):
            load(tiny_model, adapters={"wrong": path})
