"""Every error of the HTTP library has a sentence of ours."""

from __future__ import annotations

import httpx
import pytest

from bot.domain.errors import ModelBusy, ModelUnreachable
from bot.serving.openai.connection import Connection, Patience


def all_of(kind: type[httpx.RequestError]) -> list[type[httpx.RequestError]]:
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in all_of(below))]


@pytest.mark.parametrize("kind", all_of(httpx.RequestError))
def test_every_error_of_a_request_is_a_sentence_without_the_key(
    kind: type[httpx.RequestError],
) -> None:
    connection = Connection("http://127.0.0.1:1", "sk-secret", Patience())
    error = connection._failure(kind("Illegal header value b'Bearer sk-secret'"))
    assert isinstance(error, ModelBusy if kind is httpx.PoolTimeout else ModelUnreachable)
    assert str(error)[0].isupper()
    assert "sk-secret" not in str(error)
