"""The contract of every LanguageModel, kept by RemoteModel with llama-cpp-python's own server.

The tests are those of test_language_model.py, run on the ``model`` of this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.errors import ModelError
from bot.serving.model import LanguageModel
from bot.serving.openai.remote import RemoteModel
from tests.contracts import test_language_model as contract
from tests.services.llama_cpp_server import llama_cpp_server

CONTEXT_TOKENS = 1024
OF_THE_ENGINE = {
    "test_identity_names_weights_by_their_hash",  # a server does not tell it
    "test_closed_model_refuses_and_may_be_closed_again",  # builds engines; below for this one
}

globals().update(
    {
        name: test
        for name, test in vars(contract).items()
        if name.startswith("test_") and name not in OF_THE_ENGINE
    }
)


@pytest.fixture(scope="module")
def url(tiny_model: Path) -> Iterator[str]:
    with llama_cpp_server(tiny_model, context_tokens=CONTEXT_TOKENS) as url:
        yield url


@pytest.fixture(scope="module")
def model(url: str) -> Iterator[LanguageModel]:
    model = RemoteModel.connect(url, context_tokens=CONTEXT_TOKENS)
    yield model
    model.close()


def test_identity_names_the_file_and_the_server(model: LanguageModel, url: str) -> None:
    name, _, place = model.identity.name.partition(" at ")
    assert name.endswith(".gguf")
    assert url.endswith(place)


def test_closed_model_refuses_and_may_be_closed_again(url: str) -> None:
    model = RemoteModel.connect(url)
    model.close()
    model.close()
    with pytest.raises(ModelError, match="closed"):
        next(model.stream([contract.QUESTION]))
    with pytest.raises(ModelError, match="closed"):
        model.choose([contract.QUESTION], ["yes"], ["yes", "no"])
