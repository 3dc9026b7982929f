"""Answers that are held to a JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.domain.errors import ModelError
from bot.serving.llama_cpp.engine import LlamaEngine
from tests.serving.llama_cpp.engines import load, text, user, words

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "verdict": {"enum": ["supported", "contradicted"]},
            "passages": {"type": "array", "items": {"enum": [1, 2, 3]}, "maxItems": 2},
        },
        "required": ["verdict", "passages"],
    }
)


@pytest.fixture
def engine(tiny_model: Path) -> Iterator[LlamaEngine]:
    engine = load(tiny_model, slots=4)
    yield engine
    engine.close()


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_answer_is_a_document_of_the_schema(engine: LlamaEngine, temperature: float) -> None:
    for seed in range(5):
        sampling = {"temperature": temperature, "min_p": 0.0, "top_p": 1.0, "seed": seed}
        document = json.loads(text(engine, user("Judge."), json_schema=SCHEMA, **sampling))
        assert document["verdict"] in ("supported", "contradicted")
        assert set(document["passages"]) <= {1, 2, 3}


def test_random_weights_follow_the_schema_too(random_model: Path) -> None:
    engine = load(random_model)
    document = json.loads(text(engine, user("Judge."), json_schema=SCHEMA, temperature=1.0))
    assert document["verdict"] in ("supported", "contradicted")
    engine.close()


def test_max_tokens_cuts_the_document(engine: LlamaEngine) -> None:
    cut = text(engine, user("Judge."), json_schema=SCHEMA, max_tokens=3)
    assert cut.startswith("{")
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "[]",
        '{"type": "nonsense"}',
        '{"$ref": "https://example.com/schema.json"}',
        '{"$ref": "#/definitions/missing"}',
        '{"type": "string", "pattern": "("}',
    ],
)
def test_schema_that_cannot_be_followed_is_refused_before_anything_is_computed(
    engine: LlamaEngine, schema: str
) -> None:
    with pytest.raises(ModelError, match="JSON schema"):
        text(engine, user("Judge."), json_schema=schema)
    assert engine.statistics.computed_tokens == 0


def test_dead_end_fails_its_own_request_only(engine: LlamaEngine) -> None:
    no_token_has_it = '{"enum": ["\\u0000"]}'
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(text, engine, user(words(200)))
        with pytest.raises(ModelError, match="cannot continue the JSON document"):
            text(engine, user("Judge."), json_schema=no_token_has_it)
        assert other.result() == words(200)
    assert text(engine, user("And on.")) == "And on."
